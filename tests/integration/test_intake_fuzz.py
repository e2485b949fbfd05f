"""Whatever is sent: never a 500, never half a request stored."""

import copy
import json
import random
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from onedoor.intake.app import SERVICE
from tests.intake import CHILD_ALONE, INCOME, TOWNSHIP, Intake, started_intake

MIGRATED = (SERVICE,)
MEMBERS = [{"name": "甲", "birth": "1950-01-01"}]
FULL: dict[str, Any] = INCOME | {
    "kind": "application",
    "received_at": "2026-03-03T21:40",
    "late_entry_reason": "补录",
    "statement": "她说家里没有米了",
    "facts_text": "两人在家",
    "caller": {"role": "relative", "name": "南宫云", "phone": "000", "anonymous": False, "wants_reply": True},
    "place": {"division": TOWNSHIP, "address": "桥边", "landmark": "石狮", "lon": 106.6, "lat": 29.7},
    "contact": {"phone": "000", "safe": False, "language": "zh"},
    "household": {"size": 3, "tier": "none", "address": "桥边", "members": MEMBERS},
    "emergency": {"kind": "fire", "at": "2026-03-03T21:40"},
    "stages": [{"kind": "accepted", "programme": "dibao", "day": "2026-01-19"}],
    "subjects": [
        {"id": "a", "age": 9, "name": "乙", "aliases": ["小乙"], "sex": "male", "birth": "2017-01-01",
         "id_number": "1", "phone": "0", "relation": "nephew", "guardian": "丙", "school_name": "一小",
         "facts": {"parents": [{"relation": "father", "status": "prison", "since": "2026-01-01"}],
                   "disability": {"type": "visual", "level": 1}, "violence": True}},
        {"id": "b", "age_about": 40, "facts": {"jobless": True}},
    ],
}  # fmt: skip

ODD: list[Any] = [
    None, True, False, 0, -1, 10**40, 1.5, 1e300, float("inf"), float("nan"), "", " ", "\0", "\ud800",
    "é" * 30_000, "9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+14:00", "2026-02-30",
    "2026-03-03T10:00", [], {}, [[]], {"a": {"b": None}}, ["x"], [None],
    {"\0": "\ud800"}, "500112004", "child", "fire",
]  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The path of everything in the body."""
    if path:
        yield path
    keys = value.keys() if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    for key in keys:
        yield from places(value[key], (*path, key))


def spoilt(chance: random.Random) -> dict[str, Any]:
    """A body in which one to three places hold something odd, are gone, or have an odd neighbour."""
    body = copy.deepcopy(chance.choice([FULL, INCOME, CHILD_ALONE]))
    for _ in range(chance.randint(1, 3)):
        *path, key = chance.choice(list(places(body)))
        container: Any = body
        for step in path:
            container = container[step]
        what = chance.random()
        if what < 0.15:
            del container[key]
        elif what < 0.25 and isinstance(container, dict):
            container["neighbour"] = chance.choice(ODD)
        else:
            container[key] = chance.choice(ODD)
    return body


COUNTS = """
select (select count(*) from applications) as applications, (select count(*) from details) as details,
  (select count(*) from receipts) as receipts,
  (select count(*) from events where type = 'application.received') as events,
  (select count(*) from aggregates where kind = 'application') as aggregates,
  (select count(*) from idempotency) as keys,
  (select count(*) from people p where not exists (
     select from households h where h.household_id = p.household_id)) as homeless,
  (select count(*) from people) - (select count(*) from aggregates where kind = 'person') as untold,
  (select count(*) from households) as households
"""


@pytest.fixture
async def intake(database: str, tmp_path: Path) -> AsyncIterator[Intake]:
    async with started_intake(database, tmp_path) as running:
        yield running


async def test_odd_values_are_taken_or_named_and_nothing_is_half_written(intake: Intake) -> None:
    chance = random.Random(20260303)
    taken = 0
    for round_ in range(100):
        body = spoilt(chance)
        role = chance.choice(["everything", "window", "hotline"])
        answer = await intake.post("applications", body, role, TOWNSHIP, **{"idempotency-key": f"k{round_}"})
        assert answer.status_code in (201, 422), (answer.status_code, body, answer.text)
        if answer.status_code == 422:
            errors = answer.json()["errors"]
            assert errors, body
            assert all(error["field"] and error["remedy"] for error in errors), body
        else:
            taken += 1
            path = f"applications/{answer.json()['application_id']}"
            assert (await intake.get(path)).status_code == 200
    (row,) = await intake.query(COUNTS)
    counts = dict(row)
    assert counts.pop("keys") == counts.pop("households") == taken
    assert counts.pop("homeless") == counts.pop("untold") == 0
    assert len(set(counts.values())) == 1
    assert taken > 20


async def test_odd_supplements(intake: Intake) -> None:
    application = (await intake.taken(FULL))["application_id"]
    chance = random.Random(5)
    for _ in range(40):
        body = spoilt(chance)
        answer = await intake.post(f"applications/{application}/supplement", body)
        assert answer.status_code in (200, 422), (answer.status_code, body, answer.text)
        assert (await intake.post("triage", body)).status_code == 200
    assert (await intake.get(f"applications/{application}")).status_code == 200


BODIES = [
    b"", b"{", b"null", b"[]", b'"text"', b"\xff\xfe\x00", b"[" * 100_000,
    b'{"a":' * 5000 + b"1" + b"}" * 5000,
    b"{" + b'"place":' + b"[" * 900 + b"]" * 900 + b"}", b'{"channel": ' + b"1" * 5000 + b"}",
    json.dumps(INCOME).encode("utf-16"),
]  # fmt: skip


@pytest.mark.parametrize("body", BODIES, ids=range(len(BODIES)))
async def test_bodies_that_are_no_application(intake: Intake, body: bytes) -> None:
    for path in ("applications", "triage"):
        answer = await intake.post(path, body)
        assert answer.status_code in (201, 200, 422), answer.text
        assert answer.status_code != 422 or answer.json()["errors"]


async def test_a_body_too_large(intake: Intake) -> None:
    body = INCOME | {"facts_text": "长" * 600_000}
    assert (await intake.post("applications", body)).status_code == 413
    assert await intake.events() == []
