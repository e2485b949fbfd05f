"""A case at assistance in memory, walked through its programmes' steps; and a household that is eligible."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from onedoor.assistance.domain import DECIDER
from onedoor.assistance.domain.proceeding import (
    Assessment,
    AssistanceCase,
    HouseholdFacts,
    OtherAid,
    Proceeding,
    proceeding_id,
)
from onedoor.assistance.domain.programmes import EVERY, WORKFLOWS
from onedoor.assistance.domain.workflow import Act, OpenProceeding, RecordAuthorisation, RecordHousehold
from onedoor.contracts.case import OpenCase
from onedoor.contracts.core import Actor, Command, Context, Event, Refusal
from onedoor.contracts.events.assistance import Determined
from onedoor.contracts.work import NoteReferral, case_id, referral_id
from onedoor.triage.duties import Trigger, packaged_duties
from tests.casework import ADULT, APPLICATION, CHAIN, CHILD

TOWNSHIP = "500112015"
CASEWORKER = Actor(person="cw-1", role="caseworker", division=TOWNSHIP)
REVIEWER = Actor(person="rev-1", role="reviewer", division=TOWNSHIP)
DISTRICT = Actor(person="dist-1", role="district")
OTHER_DISTRICT = Actor(person="dist-9", role="district")
INVESTIGATORS = (
    {"person": "cw-1", "unit": "township", "division": TOWNSHIP},
    {"person": "vil-1", "unit": "village", "division": TOWNSHIP},
)
HOUSEHOLD = HouseholdFacts(digest="file-1", size=2, adults=(ADULT,), people={"m1": ADULT, "m2": CHILD})
START = datetime(2026, 3, 3, 2, tzinfo=UTC)


def assessed(programme: str, outcome: str = "eligible", amount: int | None = 47_000) -> Assessment:
    """What the rules say of the household on file."""
    return Assessment(
        programme=programme,
        outcome=outcome,
        amount_fen=amount if outcome == "eligible" else None,
        per=WORKFLOWS[programme].per or "month",
        rule_version="rules-1",
        household=HOUSEHOLD.digest,
        evidence="evidence-1",
    )


def _fits(event: Event, triggers: Sequence[Trigger]) -> bool:
    return event.topic() is not None and any(
        each.name == event.type and each.fits(event) for each in triggers
    )


class Walk:
    """One case, the time, what happened so far, and by the rows taken: which statutory clocks run."""

    def __init__(self, programme: str = "dibao", sealed: bool = False, open_: bool = True) -> None:
        self.id = case_id(APPLICATION, "assistance")
        self.case = DECIDER.initial()
        self.events: list[Event] = []
        self.now = START
        self.aided: tuple[OtherAid, ...] = ()
        self.running: set[str] = set(WORKFLOWS[programme].opening)
        self.programme = programme
        self.person = ADULT if WORKFLOWS[programme].person else None
        self.proceeding_id = proceeding_id(self.id, programme, self.person)
        self.told_again(sealed)
        if open_:
            self.do(OpenProceeding(target=self.id, programme=programme, person_id=self.person))

    def told_again(self, sealed: bool) -> None:
        """The application, at first and supplemented."""
        self.do(
            OpenCase(
                target=self.id,
                application_id=APPLICATION,
                chain_id=CHAIN,
                urgency="ordinary",
                sealed=sealed,
                division=self.case.division or TOWNSHIP,
                programmes=(self.programme,),
                subjects=(CHILD, ADULT),
            )
        )

    def do(self, command: Command, actor: Actor = CASEWORKER) -> Sequence[Event] | Refusal:
        """Give the command; its events, already folded, or why not."""
        decided = DECIDER.decide(self.case, command, Context(actor, self.now))
        if not isinstance(decided, Refusal):
            self.events += decided
            for event in decided:
                self.case = DECIDER.evolve(self.case, event)
        return decided

    def step(
        self, name: str, actor: Actor = CASEWORKER, assessment: Any = ..., **said: Any
    ) -> Sequence[Event] | Refusal:
        """Take a step with what is said; the rules say `eligible`, if not told otherwise."""
        workflow = WORKFLOWS[self.programme]
        rows = workflow.by_command[name]
        row = workflow.step(name, self.proceeding.state)
        found = assessed(self.programme) if assessment is ... else assessment
        decided = self.do(
            Act(
                target=self.id,
                proceeding=self.proceeding_id,
                name=name,
                said=rows[0].said.model_validate(said),
                assessment=found if rows[0].assessed else None,
                ceiling_fen=77_000 if self.programme == "temporary_small" else None,
                aided=self.aided,
            ),
            actor,
        )
        if row is not None and decided and not isinstance(decided, Refusal):
            gone = self.running if row.cancels == EVERY else set(row.cancels)
            self.running = (self.running - gone - set(row.meets)) | set(row.starts)
        return decided

    def says(self, name: str, actor: Actor = CASEWORKER, assessment: Any = ..., **said: Any) -> str:
        """The same: the code of the refusal, or where the step led."""
        decided = self.step(name, actor, assessment, **said)
        return decided.code if isinstance(decided, Refusal) else self.proceeding.state

    @property
    def proceeding(self) -> Proceeding:
        return self.case.proceedings[self.proceeding_id]

    def later(self, **time: float) -> None:
        self.now += timedelta(**time)

    def household(self, facts: HouseholdFacts = HOUSEHOLD) -> None:
        self.do(RecordHousehold(target=self.id, household=facts))

    def authorise(self, person: UUID = ADULT) -> Sequence[Event] | Refusal:
        return self.do(RecordAuthorisation(target=self.id, person_id=person))

    def answer_check(self, report: str = "consistent", state: Any = "answered") -> None:
        """The verification centre answers the referral R16, or something else becomes of it."""
        self.do(
            NoteReferral(
                target=self.id,
                application_id=APPLICATION,
                chain_id=CHAIN,
                referral_id=referral_id(self.proceeding.check or self.id, "R16", "verification-centre"),
                rule="R16",
                to="verification-centre",
                urgency="ordinary",
                state=state,
                outcome="helped" if state == "answered" else None,
                results={"report": report} if state == "answered" else {},
            )
        )

    def to(self, state: str) -> "Walk":
        """Walk on by the straight way until the proceeding is there."""
        acts = {
            "received": self._accept,
            "accepted": self._investigate,
            "investigating": self._opine,
            "opinion": self._notice,
            "notice": self._served,
            "reported": self._granted,
        }
        while self.proceeding.state != state:
            acts[self.proceeding.state]()
        return self

    def _accept(self) -> None:
        assert self.says("accept") == "accepted"

    def _investigate(self) -> None:
        if self.case.sealed:
            self.step("withhold-notice", ground="protection_chain", statement="保密")
        assert self.says("start-investigation", investigators=INVESTIGATORS) == "investigating"

    def _opine(self) -> None:
        self.household()
        self.authorise()
        self.says("request-check")
        self.answer_check()
        self.says("record-findings", findings="as_stated", statement="与申报一致")
        assert self.says("give-opinion", recommendation="grant") == "opinion"

    def _notice(self) -> None:
        if not WORKFLOWS[self.programme].notice_days:
            assert self.says("report") == "reported"
            return
        assert self.says("post-notice") == "notice"

    def _served(self) -> None:
        self.later(days=8)
        assert self.says("end-notice") == "reported"

    def _granted(self) -> None:
        by_hand = self.programme == "temporary_expenditure"
        said = {"amount_fen": 200_000, "reason": "按支出核定"} if by_hand else {}
        known = WORKFLOWS[self.programme].per == "month"
        found = assessed(self.programme, amount=47_000 if known else None)
        assert self.says("confirm", DISTRICT, found, **said) == "granted"

    def owed(self) -> set[str]:
        """The duties of the walk's proceeding that still run, by the duties' file and what was published."""
        duties, running = packaged_duties(), set[str]()
        for event in self.events:
            if getattr(event, "proceeding_id", self.proceeding_id) != self.proceeding_id:
                continue
            if any(each.name == event.type and each.fits(event) for each in duties.endings):
                running.clear()
            rows = [row for row in duties.rows if row.concerns(self.programme)]
            running -= {row.id for row in rows if _fits(event, (*row.met, *row.cancelled))}
            running |= {row.id for row in rows if _fits(event, row.start)}
        return running

    def folded(self) -> AssistanceCase:
        """The state folded from the archive alone."""
        case = DECIDER.initial()
        for event in self.events:
            case = DECIDER.evolve(case, event)
        return case

    def forget_terms(self) -> None:
        """As if everything so far had been decided before any programme had a term."""
        self.events = [
            each.model_copy(update={"valid_until": None}) if isinstance(each, Determined) else each
            for each in self.events
        ]
        self.case = self.folded()

    def types(self) -> list[str]:
        """What was published, in order."""
        return [event.type for event in self.events if event.topic()]
