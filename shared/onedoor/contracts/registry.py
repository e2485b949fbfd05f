"""Every event type of the system, by type and version: what a module of `events` declares is known."""

from collections.abc import Iterator, Mapping
from importlib import import_module
from itertools import chain
from pkgutil import iter_modules

from onedoor.contracts import events
from onedoor.contracts.core import Event


def _declared() -> Iterator[type[Event]]:
    """Every class of `events/` that has a type; what several have in common has none."""
    for module in iter_modules(events.__path__, f"{events.__name__}."):
        for found in vars(import_module(module.name)).values():
            if isinstance(found, type) and issubclass(found, Event) and hasattr(found, "type"):
                yield found


EVENTS: tuple[type[Event], ...] = tuple(dict.fromkeys(_declared()))

TOPICS: tuple[str, ...] = tuple(dict.fromkeys(chain.from_iterable(event.topics for event in EVENTS)))


def _latest(events: tuple[type[Event], ...]) -> Mapping[str, type[Event]]:
    latest: dict[str, type[Event]] = {}
    for event in sorted(events, key=lambda event: event.version):
        latest[event.type] = event
    return latest


LATEST: Mapping[str, type[Event]] = _latest(EVENTS)
BY_VERSION: Mapping[tuple[str, int], type[Event]] = {(event.type, event.version): event for event in EVENTS}


def model_for(type_: str, version: int) -> type[Event] | None:
    """The model that reads this event; a version newer than we know is read by our newest.

    None: the type is not registered.
    """
    return BY_VERSION.get((type_, version)) or LATEST.get(type_)
