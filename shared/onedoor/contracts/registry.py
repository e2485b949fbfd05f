"""Every event type of the system, by type and version."""

from collections.abc import Mapping
from itertools import chain

from onedoor.contracts.core import Event
from onedoor.contracts.events import assistance, case, intake, need, notify, operations, stay

EVENTS: tuple[type[Event], ...] = (
    *intake.EVENTS,
    *case.EVENTS,
    *assistance.EVENTS,
    *stay.EVENTS,
    *need.EVENTS,
    *notify.EVENTS,
    *operations.EVENTS,
)

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
