"""The samples that the demo plays can be sent as they are, and show what they are meant to show."""

from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
import yaml

from onedoor.intake.domain import Parts, coded, evaluated, split
from onedoor.triage import parse_form

SAMPLES = sorted((Path(__file__).parents[2] / "deploy" / "samples").glob("*.yaml"))
NOW = datetime(2026, 3, 3, 13, 40, tzinfo=UTC)


def parts_of(path: Path) -> Parts:
    form, marks = parse_form(yaml.safe_load(path.read_text("utf-8")))
    assert marks == ()
    ids = [uuid4() for _ in form.subjects]
    known = coded(form, ids, received_at=NOW, recorded_at=NOW, late_entry=False, believed=True)
    return split(known, evaluated(known, NOW, {}))


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_a_sample_can_be_sent_as_it_is(path: Path) -> None:
    parts = parts_of(path)
    plans = [part.plan for part in (parts.household, parts.protection) if part is not None]
    assert all(plan.services or plan.referrals for plan in plans), "somebody is concerned"


def test_the_samples_show_the_whole_range() -> None:
    assert len(SAMPLES) >= 10
    parts = [parts_of(path) for path in SAMPLES]
    everything = [part.plan for both in parts for part in (both.household, both.protection) if part]
    services = {each.name for plan in everything for each in plan.services}
    assert services == {"assistance", "child-welfare", "vagrancy", "charity"}
    assert {plan.critical for plan in everything} == {True, False}
    assert sum(both.household is not None and both.protection is not None for both in parts) == 1
    assert any(each.drafted for plan in everything for each in plan.referrals)
