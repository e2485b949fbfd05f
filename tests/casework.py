"""Building blocks for tests of cases: applications with a plan, referrals, and a case folded by commands."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from onedoor.contracts.core import (
    Actor,
    Command,
    Context,
    Decider,
    Envelope,
    Event,
    Refusal,
    Urgency,
    derived_id,
)
from onedoor.contracts.events.intake import (
    ApplicationReceived,
    ApplicationSupplemented,
    ApplicationWithdrawn,
    PersonErased,
    PersonRecorded,
)
from onedoor.contracts.events.intake import Subject as PersonInTrouble
from onedoor.contracts.events.notify import ReferralAnswered, ReferralEvent, ReferralSent
from onedoor.contracts.plan import Plan, PlannedService
from onedoor.contracts.work import Work, case_id

NOW = datetime(2026, 3, 3, 13, 40, tzinfo=UTC)
APPLICATION = derived_id("test-application")
CHAIN = derived_id("test-chain")
CHILD = derived_id("test-child")
ADULT = derived_id("test-adult")
WORKER = Actor(person="worker-1", role="everything")
OTHER = Actor(person="worker-2", role="everything")

C = TypeVar("C", bound=Work)


def application(
    service: str = "assistance",
    urgency: Urgency = "ordinary",
    supplement: bool = False,
    application_id: UUID = APPLICATION,
    chain_id: UUID = CHAIN,
    **more: Any,
) -> ApplicationReceived | ApplicationSupplemented:
    """An application with a nine-year-old and a grown-up, whose plan names the one service."""
    facts = {
        "application_id": application_id,
        "chain_id": chain_id,
        "receipt": "QZ-20260303-ABCDEF-7",
        "kind": "application",
        "channel": "hotline",
        "caller_role": "self",
        "received_at": NOW,
        "recorded_at": NOW,
        "place_division": "500112015",
        "subjects": (
            PersonInTrouble(person_id=CHILD, age=9),
            PersonInTrouble(person_id=ADULT, age=40),
        ),
        "plan": Plan(services=(PlannedService(name=service, urgency=urgency),)),
    }
    model = ApplicationSupplemented if supplement else ApplicationReceived
    return model.model_validate(facts | more)


def withdrawal(
    application_id: UUID = APPLICATION, chain_id: UUID = CHAIN, at: datetime = NOW
) -> ApplicationWithdrawn:
    return ApplicationWithdrawn(application_id=application_id, chain_id=chain_id, withdrawn_at=at)


def referral(
    model: type[ReferralEvent] = ReferralSent,
    to: str = "health",
    asked_by: UUID | None = None,
    urgency: Urgency = "critical",
    **more: Any,
) -> ReferralEvent:
    """An event of the one referral of the test's application."""
    facts: dict[str, Any] = {
        "referral_id": derived_id("test-referral", to),
        "chain_id": CHAIN,
        "application_id": APPLICATION,
        "case_id": asked_by,
        "rule": "R9",
        "from_": "township",
        "to": to,
        "urgency": urgency,
    }
    if model is ReferralSent:
        facts |= {"sent_at": NOW, "due_ack": NOW, "due_finish": NOW}
    if model is ReferralAnswered:
        facts |= {"outcome": "helped"}
    return model.model_validate(facts | more)


def envelope(data: Event) -> Envelope:
    """The event as it would be read from its topic."""
    subject = data.person_id if isinstance(data, PersonRecorded | PersonErased) else APPLICATION
    return Envelope(
        id=derived_id("test-event", data.type, data.model_dump_json()),
        source="intake",
        subject=subject,
        time=NOW,
        key=data.key(),
        data=data,
        classification=data.classification(),
    )


class Bench(Generic[C]):
    """One case in memory: give it commands, look at what happened."""

    def __init__(self, decider: Decider[C], service: str) -> None:
        self.decider = decider
        self.id = case_id(APPLICATION, service)
        self.case = decider.initial()
        self.events: list[Event] = []

    def give(self, *commands: Command, actor: Actor = WORKER) -> Sequence[Event] | Refusal:
        """Give the commands in order; what came of the last one."""
        decided: Sequence[Event] | Refusal = ()
        for command in commands:
            decided = self.decider.decide(self.case, command, Context(actor, NOW))
            if not isinstance(decided, Refusal):
                self.events += decided
                for event in decided:
                    self.case = self.decider.evolve(self.case, event)
        return decided

    def says(self, *commands: Command, actor: Actor = WORKER) -> str:
        """The type of the last event, the code of the refusal, or `nothing`."""
        decided = self.give(*commands, actor=actor)
        if isinstance(decided, Refusal):
            return decided.code
        return decided[-1].type if decided else "nothing"

    def folded(self) -> C:
        """The state folded from the archive alone."""
        case = self.decider.initial()
        for event in self.events:
            case = self.decider.evolve(case, event)
        return case
