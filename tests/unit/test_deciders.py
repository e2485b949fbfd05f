"""Every command and every event that a service declares is known to one of its deciders."""

import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from onedoor.contracts.core import Command, Event
from onedoor.contracts.registry import EVENTS
from onedoor.dev.services import SERVICES
from onedoor.runtime.service import Service

M = TypeVar("M", Command, Event)
DECIDING = {
    process.module: service
    for process in SERVICES
    if (service := importlib.import_module(f"{process.module}.app").SERVICE).deciders
}


def declared(package: str, base: type[M]) -> Iterator[type[M]]:
    """The classes that the package makes of the base, without those that only others are made of."""
    for each in base.__subclasses__():
        yield from declared(package, each)
        if each.__module__.startswith(f"{package}.") and not each.__subclasses__():
            yield each


@pytest.mark.parametrize(("package", "service"), DECIDING.items(), ids=DECIDING)
def test_every_command_is_decided(package: str, service: Service) -> None:
    """`commands` of the decider: one that it lacks is an error only when somebody gives it."""
    known = {command for decider in service.deciders for command in decider.commands}
    assert set(declared(package, Command)) - known == set()


@pytest.mark.parametrize(("package", "service"), DECIDING.items(), ids=DECIDING)
def test_every_event_that_is_kept_can_be_read_again(package: str, service: Service) -> None:
    """`internal` of the decider: an event that is neither there nor registered cannot be folded anew."""
    known = {event for decider in service.deciders for event in decider.internal}
    assert set(declared(package, Event)) - known - set(EVENTS) == set()


MACHINES = {
    "assistance case": "test_assistance_any_order",
    "charity need": "test_charity_domain",
    "child-welfare case": "test_child_welfare_domain",
    "intake application": "test_intake_any_order",
    "intake person": "test_intake_any_order",
    "notify calendar": "test_notify_any_order",
    "notify clock": "test_notify_clock",
    "notify docket": "test_notify_any_order",
    "notify ledger": "test_referral_matter",
    "notify referral": "test_notify_referral",
    "notify ring": "test_notify_any_order",
    "vagrancy stay": "test_vagrancy_domain",
}
"""By which module of this folder each decider is given anything in any order."""


def test_every_decider_has_a_state_machine() -> None:
    known = {
        f"{service.name} {decider.name}" for service in DECIDING.values() for decider in service.deciders
    }
    assert known == MACHINES.keys()
    for name in set(MACHINES.values()):
        assert "(RuleBasedStateMachine)" in (Path(__file__).parent / f"{name}.py").read_text()
