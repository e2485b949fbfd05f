"""The unit of work loads each kind of aggregate once a batch, however many an application leads to."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

import pytest

from onedoor.contracts.core import SYSTEM, Context, Decider
from onedoor.notify.app import SERVICE
from onedoor.notify.domain import DECIDERS
from onedoor.runtime.clock import Clock
from onedoor.runtime.service import Saved
from onedoor.runtime.unit import Directive, Unit
from tests.notify import FRIDAY, application, planned
from tests.notify_bench import enveloped


class Memory:
    """A store that remembers, and counts how often it was asked."""

    def __init__(self) -> None:
        self.rows: dict[UUID, tuple[Any, int]] = {}
        self.loads = 0

    async def load(self, conn: Any, ids: Sequence[UUID]) -> Mapping[UUID, tuple[Any, int]]:
        self.loads += 1
        return {id_: self.rows[id_] for id_ in ids if id_ in self.rows}

    async def save(self, conn: Any, rows: Sequence[Saved]) -> None:
        self.rows |= {row.id: (row.state, row.version) for row in rows}


class NoConnection:
    async def execute(self, *_: object) -> None:
        return None


@pytest.fixture
def stores() -> dict[str, Memory]:
    return {decider.name: Memory() for decider in DECIDERS}


async def run(
    stores: Mapping[str, Memory], *events: Any, deciders: Sequence[Decider[Any]] = DECIDERS
) -> None:
    pool: Any = None
    conn: Any = NoConnection()
    unit = Unit(replace(SERVICE, stores=stores, deciders=tuple(deciders)), pool, Clock("test"))
    context = Context(SYSTEM, datetime.now(UTC))
    await unit.run(
        conn, [Directive(tuple(SERVICE.react(enveloped(event, FRIDAY))), context) for event in events]
    )


ORDINARY = (("R4", "education"), ("R10", "medical-insurance"), ("R12", "human-resources"))


def with_four_referrals() -> Any:
    referrals = [planned(rule, to) for rule, to in ORDINARY] + [planned("R1", "public-security", "critical")]
    return application(*referrals, application_id=uuid4(), chain_id=uuid4())


async def test_each_kind_is_loaded_once_for_a_batch(stores: dict[str, Memory]) -> None:
    await run(stores, *(with_four_referrals() for _ in range(5)))
    loads = {name: memory.loads for name, memory in stores.items()}
    assert loads == dict.fromkeys(stores, 1) | {"docket": 0, "calendar": 0}
    assert Counter({name: len(memory.rows) for name, memory in stores.items()}) == {
        "ledger": 5,
        "docket": 0,
        "calendar": 0,
        "referral": 20,
        "clock": 5 * (3 * 2 + 3),
        "ring": 5,
    }


async def test_each_command_is_decided_once_and_each_event_exists_once(stores: dict[str, Memory]) -> None:
    """Later passes, with more at hand, go on from what is decided."""
    decided: Counter[str] = Counter()

    def counting(decider: Decider[Any]) -> Decider[Any]:
        def decide(state: Any, command: Any, context: Context) -> Any:
            decided[type(command).__name__] += 1
            return decider.decide(state, command, context)

        return replace(decider, decide=decide)

    await run(
        stores, *(with_four_referrals() for _ in range(5)), deciders=[counting(each) for each in DECIDERS]
    )
    assert decided == {"Admit": 5, "OpenReferral": 20, "StartClock": 45, "ExpectAcknowledgement": 5}
    assert {version for _, version in stores["clock"].rows.values()} == {1}


async def test_the_same_command_twice_is_decided_on_the_state_of_its_turn(stores: dict[str, Memory]) -> None:
    event = with_four_referrals()
    await run(stores, event, event)
    assert {version for _, version in stores["referral"].rows.values()} == {2}
    assert {version for _, version in stores["clock"].rows.values()} == {1}


async def test_what_fails_with_everything_at_hand_fails(stores: dict[str, Memory]) -> None:
    event = with_four_referrals()
    await run(stores, event)
    clocks = stores["clock"].rows
    spoilt = {id_: (None, version) for id_, (clock, version) in clocks.items() if clock.duty == "finish"}
    clocks |= spoilt
    raised = application(
        *(planned(rule, to, "urgent") for rule, to in ORDINARY),
        supplement=True,
        application_id=event.application_id,
        chain_id=event.chain_id,
    )
    before = {name: memory.rows.copy() for name, memory in stores.items()}
    with pytest.raises(AttributeError):
        await run(stores, raised)
    assert {name: memory.rows for name, memory in stores.items()} == before, "and nothing is written"
