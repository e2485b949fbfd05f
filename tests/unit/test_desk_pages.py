"""What the desk's pages list of the rest of the house is all there."""

from datetime import UTC, datetime, timedelta
from importlib import import_module
from pkgutil import iter_modules

import pytest
from fastapi import Request

from onedoor.assistance import api as assistance
from onedoor.contracts.core import Actor
from onedoor.desk import pages
from onedoor.desk.pages import chain, duty
from onedoor.desk.session import Session
from onedoor.desk.web import Desk
from onedoor.desk.words import Words
from onedoor.notify.domain import ladder
from onedoor.runtime.roles import ROLES

NOW, DAY = datetime(2026, 9, 18, 9, tzinfo=UTC), timedelta(days=1)


def test_every_page_is_served() -> None:
    """pages/__init__.py; the order is its own, `/chains/list` stands before `/chains/{chain}`."""
    modules = [import_module(f"{pages.__name__}.{page.name}") for page in iter_modules(pages.__path__)]
    assert [page.__name__ for page in modules if page.router not in pages.ROUTERS] == []


@pytest.mark.parametrize("role", ROLES)
def test_the_menu_has_cases_for_those_who_work_at_assistance(role: str) -> None:
    session = Session(Actor(person="somebody", role=role), "token")
    assert Desk(Request({"type": "http"}), session, Words("zh")).assists == (role in assistance.ROLES)


@pytest.mark.parametrize(
    ("duty", "urgency", "state", "left", "verbs"),
    [
        ("finish", "ordinary", "running", DAY, ("pause",)),
        ("finish", "ordinary", "warned", DAY, ("pause",)),
        ("finish", "ordinary", "paused", -DAY, ("resume",)),
        ("finish", "ordinary", "breached", -DAY, ()),
        ("finish", "critical", "running", DAY, ()),
        ("L5", None, "running", DAY, ("pause", "lengthen")),
        ("L3", None, "running", DAY, ()),
    ],
)
def test_what_a_chain_offers_to_do_about_a_clock(
    duty: str, urgency: str | None, state: str, left: timedelta, verbs: tuple[str, ...]
) -> None:
    row = {"duty": duty, "urgency": urgency, "state": state, "due_at": NOW + left}
    assert chain.offered(row, NOW) == verbs


def test_the_roster_can_be_asked_for_every_function_of_the_ladders() -> None:
    """FUNCTIONS of pages/duty.py, from the lowest rung up."""
    assert ladder.functions() - set(duty.FUNCTIONS) == set()
