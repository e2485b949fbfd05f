"""The owner's applications can be posted to intake as they are; what follows is what they expect."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from onedoor.intake.app import SERVICE
from tests.acceptance.test_triage import files, mistakes
from tests.intake import Intake, started_intake
from tests.migrated import Templates
from tests.servers import cloned


@pytest.fixture(scope="module")
async def intake(templates: Templates, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Intake]:
    folder = tmp_path_factory.mktemp("intake")
    async with cloned(await templates.of(SERVICE)) as database, started_intake(database, folder) as running:
        yield running


async def posted(intake: Intake, body: dict[str, Any]) -> dict[str, Any]:
    answer = await intake.post("applications", body)
    assert answer.status_code == 201, answer.text
    taken: dict[str, Any] = answer.json()
    return taken


async def known_earlier(intake: Intake, case: dict[str, Any]) -> dict[str, str]:
    """Intake asks its own registry, not the body: what the case calls earlier is posted first."""
    ids: dict[str, str] = {}
    for earlier in case.get("earlier_applications", []):
        body = {
            "received_at": earlier["received_at"],
            "channel": "window",
            "place": {"division": earlier["division"]},
            "caller": {"role": "self"},
            "needs": ["income"],
            "subjects": [
                {"id": f"e{number}", "age": 40, "id_number": id_number}
                for number, id_number in enumerate(earlier["id_numbers"])
            ],
        }
        ids[earlier["id"]] = (await posted(intake, body))["application_id"]
    return ids


@pytest.mark.parametrize("file", files, ids=lambda file: file.stem)
async def test_a_case_posted_as_it_is(file: Path, intake: Intake) -> None:
    case = yaml.safe_load(file.read_text("utf-8"))
    ids = await known_earlier(intake, case)
    plan = (await posted(intake, case))["plan"]
    expect = case["expect"]
    if "duplicates" in expect:
        expect = expect | {"duplicates": [ids[name] for name in expect["duplicates"]]}
    assert mistakes(plan, expect) == []
