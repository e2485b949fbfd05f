"""The samples are what the form takes."""

from pathlib import Path

import pytest
import yaml

from onedoor.dev.samples import _plain
from onedoor.dev.settings import DevSettings
from onedoor.triage.application import ApplicationForm

FILES = sorted(DevSettings().samples.glob("*.yaml"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_a_sample_is_a_request_that_the_form_takes(file: Path) -> None:
    ApplicationForm.model_validate(_plain(yaml.safe_load(file.read_bytes())))


def test_dates_of_yaml_travel_as_text() -> None:
    assert _plain(yaml.safe_load("{a: [2026-03-03], 1: {b: 2026-03-03T21:40:00+08:00}}")) == {
        "a": ["2026-03-03"],
        "1": {"b": "2026-03-03T21:40:00+08:00"},
    }
