"""The bars by subject, one file each. A new group is one file with a `GROUP`, and its name in `NAMES`."""

from importlib import import_module

from tests.bench.frame import Group

NAMES = (
    "pipeline", "latency", "rebalance", "intake", "deadlines", "calendar", "way", "load", "start", "payments",
    "policy",
)  # fmt: skip


def groups() -> tuple[Group, ...]:
    """All groups, in the order in which they are measured."""
    found: list[Group] = [import_module(f"{__name__}.{name}").GROUP for name in NAMES]
    return tuple(found)
