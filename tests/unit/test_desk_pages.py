"""What the desk's pages list of the rest of the house is all there."""

from importlib import import_module
from pkgutil import iter_modules

from onedoor.desk import pages
from onedoor.desk.pages import duty
from onedoor.notify.domain import ladder


def test_every_page_is_served() -> None:
    """pages/__init__.py; the order is its own, `/chains/list` stands before `/chains/{chain}`."""
    modules = [import_module(f"{pages.__name__}.{page.name}") for page in iter_modules(pages.__path__)]
    assert [page.__name__ for page in modules if page.router not in pages.ROUTERS] == []


def test_the_roster_can_be_asked_for_every_function_of_the_ladders() -> None:
    """FUNCTIONS of pages/duty.py, from the lowest rung up."""
    assert ladder.functions() - set(duty.FUNCTIONS) == set()
