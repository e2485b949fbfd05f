"""Every folder of services/ stands in each list that it must stand in, and nothing else does.

A failure names the list; docs/adding-a-service.md says what belongs there.
"""

import importlib
import tomllib
from pathlib import Path
from typing import Any

import pytest

from onedoor.contracts import services
from onedoor.contracts.events.case import CaseEvent
from onedoor.contracts.registry import EVENTS
from onedoor.dev.services import SERVICES, ServiceProcess
from onedoor.dev.topics import declared

ROOT = Path(__file__).parents[2]
FOLDERS = sorted(folder.parent.name for folder in (ROOT / "services").glob("*/pyproject.toml"))
PACKAGES = {f"onedoor.{name.replace('-', '_')}" for name in FOLDERS}
WORKSPACE: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
NOT_SPECIALISED = {"intake", "notify", "desk"}


def test_the_list_of_processes() -> None:
    """deploy/dev/onedoor/dev/services.py; the port is that of the service's own settings."""
    assert {process.name for process in SERVICES} == set(FOLDERS)
    assert {process.module for process in SERVICES} == PACKAGES
    for process in SERVICES:
        settings = importlib.import_module(f"{process.module}.settings").Settings
        assert settings.model_fields["port"].default == process.default_port, process.name


def test_the_list_of_specialised_services() -> None:
    """shared/onedoor/contracts/services.py."""
    assert set(services.BY_NAME) == set(FOLDERS) - NOT_SPECIALISED


@pytest.mark.parametrize("service", services.SPECIALISED, ids=lambda service: service.name)
def test_its_topic_is_declared_and_has_events(service: services.Specialised) -> None:
    """deploy/dev/onedoor/dev/topics.yaml, shared/onedoor/contracts/events and its registry."""
    assert service.topic in declared().topics
    own = [event for event in EVENTS if service.topic in event.topics and issubclass(event, CaseEvent)]
    assert any(event.brings == "opened" for event in own)
    assert any(event.brings == "closed" for event in own)


@pytest.mark.parametrize("process", SERVICES, ids=lambda process: process.name)
def test_whom_it_listens_to(process: ServiceProcess) -> None:
    """`reads`: nobody its own topics, no specialised service another one's; they meet through referrals."""
    reads = set(importlib.import_module(f"{process.module}.app").SERVICE.reads)
    assert {topic for topic in reads if topic.startswith(f"{process.name}.")} == set()
    if process.name in services.BY_NAME:
        assert reads & set(services.TOPICS) == set()


def test_the_workspace() -> None:
    """pyproject.toml: dependencies, sources, the path of mypy, and the import contracts."""
    distributions = {f"onedoor-{name}" for name in FOLDERS}
    assert distributions <= set(WORKSPACE["project"]["dependencies"])
    assert distributions <= set(WORKSPACE["tool"]["uv"]["sources"])
    path = WORKSPACE["tool"]["mypy"]["mypy_path"].split(":")
    assert {f"services/{name}" for name in FOLDERS} <= set(path)
    linter = WORKSPACE["tool"]["importlinter"]
    assert set(linter["root_packages"]) >= PACKAGES
    layers = [set(layer.split(" | ")) for rule in linter["contracts"] for layer in rule.get("layers", ())]
    assert PACKAGES in layers
