"""notify in memory: its own unit of work without a database, for tests of what follows from what."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from onedoor.calendar import moment
from onedoor.contracts.core import SYSTEM, Actor, Command, Context, Envelope, Event, Refusal, derived_id
from onedoor.contracts.events.case import CaseDecided, CaseOpened, ReferralRequested
from onedoor.contracts.events.intake import (
    ApplicationReceived,
    ApplicationSupplemented,
    ApplicationWithdrawn,
    Subject,
)
from onedoor.contracts.plan import Plan
from onedoor.notify.domain import DECIDERS
from onedoor.notify.domain.clock import CLOCK, Clock, Strike, clock_id, steps
from onedoor.notify.domain.ledger import LEDGER, Ledger, ledger_id, referral_id
from onedoor.notify.domain.referral import REFERRAL, Referral
from onedoor.notify.stream import react

APPLICATION = derived_id("notify-test-application")
CHAIN = derived_id("notify-test-chain")
CHILD = derived_id("notify-test-child")
REQUEST = derived_id("notify-test-request")
ANYONE = Actor(person="anyone", role="everything")
FRIDAY = moment("2026-09-18T10:00")


def planned(
    rule: str = "R4", to: str = "education", urgency: str = "ordinary", **more: Any
) -> dict[str, Any]:
    """A referral of a plan; its due moments are not read here, notify counts them itself."""
    due = {"due_ack": FRIDAY, "due_finish": FRIDAY}
    return {"rule": rule, "from": "township", "to": to, "urgency": urgency, **due, **more}


def application(
    *referrals: dict[str, Any],
    at: datetime = FRIDAY,
    duties: Sequence[dict[str, Any]] = (),
    supplement: bool = False,
    manual: bool = False,
    **more: Any,
) -> ApplicationReceived | ApplicationSupplemented:
    """An application about a nine-year-old, with this plan."""
    facts = {
        "application_id": APPLICATION,
        "chain_id": CHAIN,
        "receipt": "QZ-20260918-ABCDEF-7",
        "kind": "report",
        "channel": "hotline",
        "caller_role": "neighbour",
        "received_at": at,
        "recorded_at": at,
        "place_division": "500112015",
        "subjects": (Subject(person_id=CHILD, age=9, facts={"alone": True, "school": "dropped_out"}),),
        "plan": Plan.model_validate(
            {"referrals": referrals, "duties": duties, "manual": "township" if manual else None}
        ),
    }
    model = ApplicationSupplemented if supplement else ApplicationReceived
    return model.model_validate(facts | more)


def withdrawn(at: datetime, protection_stands: bool = False) -> ApplicationWithdrawn:
    return ApplicationWithdrawn(
        application_id=APPLICATION, chain_id=CHAIN, withdrawn_at=at, protection_stands=protection_stands
    )


def requested(
    at: datetime, rule: str = "R10", to: str = "medical-insurance", **more: Any
) -> ReferralRequested:
    """A person asks for a referral out of a case of assistance."""
    facts = {
        "service": "assistance",
        "case_id": derived_id("case", APPLICATION, "assistance"),
        "chain_id": CHAIN,
        "application_id": APPLICATION,
        "request_id": REQUEST,
        "rule": rule,
        "to": to,
        "urgency": "ordinary",
        "requested_at": at,
    }
    return ReferralRequested.model_validate(facts | more)


def opened(service: str = "assistance") -> CaseOpened:
    return CaseOpened(
        service=service,
        case_id=derived_id("case", APPLICATION, service),
        chain_id=CHAIN,
        application_id=APPLICATION,
        urgency="ordinary",
        opened_at=FRIDAY,
    )


def decided(service: str = "assistance") -> CaseDecided:
    return CaseDecided.model_validate(
        {
            "service": service,
            "case_id": derived_id("case", APPLICATION, service),
            "chain_id": CHAIN,
            "application_id": APPLICATION,
            "outcome": "helped",
            "reason": "aid_first",
        }
    )


def of_plan(rule: str = "R4", to: str = "education") -> UUID:
    return referral_id(APPLICATION, rule, to)


class Notify:
    """All aggregates in memory, with every reaction followed as the unit of work follows it."""

    def __init__(self) -> None:
        self.states: dict[tuple[str, UUID], Any] = {}
        self.log: list[tuple[datetime, str, UUID, Event]] = []
        self.refusals: list[Refusal] = []

    def read(self, event: Event, at: datetime) -> None:
        """An event arrives from its topic; `at` is its own time."""
        for command in react(self._envelope(event, at, APPLICATION)):
            self.give(command, at)

    def give(
        self, command: Command, at: datetime, actor: Actor = SYSTEM, depth: int = 0
    ) -> list[Event] | Refusal:
        """A command and all that follows from it."""
        assert depth <= 5
        decider = next(each for each in DECIDERS if type(command) in each.commands)
        key = (decider.name, command.target)
        decided = decider.decide(self.states.get(key, decider.initial()), command, Context(actor, at))
        if isinstance(decided, Refusal):
            self.refusals.append(decided)
            return decided
        for event in decided:
            self.states[key] = decider.evolve(self.states.get(key, decider.initial()), event)
            self.log.append((at, decider.name, command.target, event))
        for event in decided:
            for further in react(self._envelope(event, at, command.target)):
                self.give(further, at, actor, depth + 1)
        return list(decided)

    def _envelope(self, event: Event, at: datetime, subject: UUID) -> Envelope:
        return Envelope(id=derived_id(event), source="test", subject=subject, time=at, key="", data=event)

    def sweep(self, now: datetime) -> None:
        """Take every step due, each at its own moment, in the order of their moments."""
        while due := sorted(
            (at, id_) for (kind, id_), c in self.states.items() if kind == "clock" for at, *_ in steps(c, now)
        ):
            for at, id_ in due:
                self.give(Strike(target=id_), at)

    def referral(self, id_: UUID) -> Referral:
        state: Referral = self.states.get(("referral", id_), REFERRAL.initial())
        return state

    def clock(self, duty: str, subject: UUID = APPLICATION) -> Clock:
        state: Clock = self.states.get(("clock", clock_id(duty, subject)), CLOCK.initial())
        return state

    @property
    def ledger(self) -> Ledger:
        state: Ledger = self.states.get(("ledger", ledger_id(APPLICATION)), LEDGER.initial())
        return state

    def types(self, kind: str | None = None) -> list[str]:
        """The types of all published events so far."""
        return [event.type for _, name, _, event in self.log if event.topics and kind in (None, name)]

    def at(self, type_: str) -> list[datetime]:
        return [at for at, _, _, event in self.log if event.type == type_]

    def picture(self) -> dict[Any, Any]:
        """What stands in the end, without what depends on when it was written."""
        referrals = {
            id_: (state.state, state.due_finish, state.acknowledged, *_carried(state))
            for (kind, id_), state in self.states.items()
            if kind == "referral"
        }
        clocks = {
            id_: (
                state.state,
                state.started_at,
                state.due_at,
                state.end,
                state.breached_at,
                state.late_seconds,
                state.child,
                state.sealed,
            )
            for (kind, id_), state in self.states.items()
            if kind == "clock" and state.state is not None
        }
        return referrals | clocks


def _carried(referral: Referral) -> tuple[Any, ...]:
    """What it carries, to whom; what is over takes up no more facts."""
    wanted = referral.wanted
    if wanted is None:
        return ()
    marks = (wanted.child, wanted.sealed)
    return marks if referral.state in ("closed", "revoked") else (*marks, wanted.subjects, wanted.facts)
