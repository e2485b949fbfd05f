"""Two years of a district's referrals, invented from a seed: what people do, when notify is down or killed.

A script of deeds first, which any play can follow. The play here goes through notify's own deciders and
reactions in memory: a unit of work that is killed leaves nothing, and what it was for is tried again; the
sweep stands still for days at a time. The notice for the second year comes when that year has begun.
"""

import heapq
import math
from collections import ChainMap, Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from random import Random
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import chinese_calendar

from onedoor.calendar import PACKAGED, almanac_of, moment, parse_notice, put_in_force
from onedoor.contracts.core import SYSTEM, Command, Event, Refusal, derived_id
from onedoor.contracts.events import assistance
from onedoor.contracts.events.case import CaseEvent
from onedoor.notify.domain.clock import Clock, PauseClock, Recompute, ResumeClock, Strike, clock_id
from onedoor.notify.domain.ledger import referral_id
from onedoor.notify.domain.referral import Acknowledge, Act, Answer, Extend, Return, Revoke
from tests.notices import NOTICE_2027
from tests.notify import ANYONE, Notify, application, planned, withdrawn

START, LAST_START, END = moment("2026-01-05T08:00"), moment("2027-11-01"), moment("2028-03-01")
IMPORT = moment("2027-02-02T09:30")
"""The notice of 2027 is imported late: deadlines of January are over, those of February were provisional."""

SHANGHAI = ZoneInfo("Asia/Shanghai")
ONE_DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
WAYS = (
    ("R4", "education", "ordinary"),
    ("R10", "medical-insurance", "ordinary"),
    ("R12", "human-resources", "urgent"),
    ("R1", "public-security", "critical"),
)
PACE = {"critical": 0.03, "urgent": 1.2, "ordinary": 3.0}
"""Days from one step to the next, on average."""


@dataclass(frozen=True, order=True)
class Deed:
    """What happens at `at`: an event of that time arrives, a person gives a command, the notice is imported,
    or (nothing given) the sweep has its turn.
    """

    at: datetime
    number: int
    event: Event | None = field(default=None, compare=False)
    time: datetime | None = field(default=None, compare=False)
    command: Command | None = field(default=None, compare=False)
    imports: bool = field(default=False, compare=False)


class Script:
    """All deeds of two years, in order."""

    def __init__(self, seed: int, referrals: int, sweep_every: timedelta = timedelta(hours=6)) -> None:
        self.seed = seed
        self._chance = Random(seed)
        self._deeds: list[Deed] = []
        for number in range(referrals):
            self._someone_asks(number, self._between(START, LAST_START))
        self._add(IMPORT, imports=True)
        for number in range(int((END - START) / sweep_every)):
            self._add(START + number * sweep_every)
        self.deeds = sorted(self._deeds)

    def _add(self, at: datetime, **what: Any) -> None:
        self._deeds.append(Deed(at, len(self._deeds), **what))

    def _between(self, first: datetime, last: datetime) -> datetime:
        return first + self._chance.randrange(int((last - first) / MINUTE)) * MINUTE

    def _wait(self, days: float) -> timedelta:
        """Mostly in good time, sometimes far too late."""
        return timedelta(days=self._chance.expovariate(1 / days))

    def _chances(self, share: float) -> bool:
        return self._chance.random() < share

    def _someone_asks(self, number: int, at: datetime) -> None:
        rule, to, urgency = self._chance.choice(WAYS)
        id_, chain = derived_id("two-years", self.seed, number), derived_id("two-years-chain", number)
        plan = planned(rule, to, urgency)
        ask = application(plan, application_id=id_, chain_id=chain, at=at, recorded_at=at)
        self._add(at, event=ask, time=at)
        self._answers(referral_id(id_, rule, to), at, urgency)
        if rule == "R4" and self._chances(0.4):
            self._dibao(id_, chain, at + self._wait(5))
        if self._chances(0.06):
            gone = self._between(at, at + timedelta(days=20))
            left = withdrawn(gone).model_copy(update={"application_id": id_, "chain_id": chain})
            self._add(gone, event=left, time=gone)

    def _answers(self, id_: UUID, at: datetime, urgency: str) -> None:
        pace = PACE[urgency]
        if self._chances(0.05):
            self._add(at + self._wait(pace), command=Return(target=id_, reason="not_our_matter"))
        elif self._chances(0.9):
            heard = at + self._wait(pace)
            acted = heard + self._wait(pace)
            self._add(heard, command=Acknowledge(target=id_))
            self._add(acted, command=Act(target=id_))
            if self._chances(0.15):
                longer = Extend(target=id_, reason="waiting_for_others")
                self._add(acted + self._wait(1), command=longer)
            if self._chances(0.9):
                answer = Answer(target=id_, outcome="helped", told=True)
                self._add(acted + self._wait(pace * 2.5), command=answer)
        if self._chances(0.03):
            self._add(at + self._wait(6), command=Revoke(target=id_, reason="no_longer_needed"))
        if self._chances(0.2):
            self._stand_still(clock_id("finish", id_), at + self._wait(3))

    def _stand_still(self, id_: UUID, at: datetime) -> None:
        until = at + timedelta(days=self._chance.randrange(1, 30))
        self._add(at, command=PauseClock(target=id_, reason="court", until=until))
        if self._chances(0.5):
            self._add(self._between(at, until), command=ResumeClock(target=id_))

    def _dibao(self, id_: UUID, chain: UUID, at: datetime) -> None:
        """Accepted, investigated, reported, refused, told: each of it at its own pace, or not at all."""
        steps: list[tuple[type[CaseEvent], float, dict[str, Any]]] = [
            (assistance.CaseAccepted, 0.1, {"delegated": self._chances(0.3)}),
            (assistance.InvestigationStarted, 3, {"investigators": 2}),
            (assistance.CaseReported, 12, {}),
            (assistance.Determined, 12, {"kind": "refuse", "reason": "x", "rule_version": "1"}),
            (assistance.RefusalTold, 3, {}),
        ]
        of = {
            "service": "assistance",
            "case_id": derived_id("case", id_),
            "chain_id": chain,
            "application_id": id_,
            "proceeding_id": derived_id("proceeding", id_),
            "decision_id": derived_id("decision", id_),
            "programme": "dibao",
            "state": "accepted",
        }
        arrives = at
        for number, (model, pace, facts) in enumerate(steps):
            at += self._wait(pace)
            # It arrives when notify's consumer runs again, in the topic's order, and counts at its own time.
            arrives = max(arrives, at) + self._wait(0.2)
            if number == 0 or self._chances(0.9):
                self._add(arrives, event=model.model_validate(of | {"at": at} | facts), time=at)


class Killed(Exception):
    """The process died before its transaction was committed."""


class TwoYears:
    """A play in memory. killed: how many units of work left nothing; refused: how many commands, by code."""

    def __init__(self, script: Script) -> None:
        self.script = script
        self.notify = Notify()
        self.killed = 0
        self.refused: Counter[str] = Counter()
        self._chance = Random(script.seed + 1)
        self._due: list[tuple[datetime, UUID]] = []
        self._down_until = START

    def run(self) -> None:
        """From the first request to the last sweep."""
        put_in_force(PACKAGED)
        for deed in self.script.deeds:
            self._do(deed)
        self._strike(END)

    def _do(self, deed: Deed) -> None:
        if deed.event is not None and deed.time is not None:
            event, time = deed.event, deed.time
            self._unit(lambda: self.notify.read(event, time))
        elif deed.command is not None:
            command = deed.command
            done = self._unit(lambda: self.notify.give(command, deed.at, ANYONE))
            if isinstance(done, Refusal):
                self.refused[done.code] += 1
        elif deed.imports:
            self._import(deed.at)
        else:
            self._sweep(deed.at)

    def _unit(self, work: Callable[[], Any]) -> Any:
        """Do it in one transaction; the process is killed now and then, and the work done again."""
        while True:
            base, log, refusals = self.notify.states, len(self.notify.log), len(self.notify.refusals)
            overlay: ChainMap[Any, Any] = ChainMap({}, base)
            self.notify.states = overlay  # type: ignore[assignment]
            result = work()
            self.notify.states = base
            if self._chance.random() < 0.05:
                self.killed += 1
                del self.notify.log[log:], self.notify.refusals[refusals:]
                continue
            written = overlay.maps[0]
            base.update(written)
            for (kind, id_), state in written.items():
                if kind == "clock" and state.next_at is not None:
                    heapq.heappush(self._due, (state.next_at, id_))
            return result

    def _import(self, at: datetime) -> None:
        put_in_force(almanac_of([(1, parse_notice(NOTICE_2027))]))
        for id_, clock in self.clocks().items():
            if clock.calendar is not None:
                again = Recompute(target=id_, notice="2027")
                self._unit(lambda again=again: self.notify.give(again, at, SYSTEM))  # type: ignore[misc]

    def _sweep(self, at: datetime) -> None:
        if at < self._down_until:
            return
        if self._chance.random() < 0.02:
            self._down_until = at + timedelta(days=self._chance.randrange(1, 6))
        else:
            self._strike(at)

    def _strike(self, at: datetime) -> None:
        while self._due and self._due[0][0] <= at:
            then, id_ = heapq.heappop(self._due)
            if self.notify.states["clock", id_].next_at == then:
                self._unit(lambda: self.notify.give(Strike(target=id_), then))  # noqa: B023 - done at once

    def clocks(self) -> dict[UUID, Clock]:
        """All clocks that were started."""
        return {
            id_: state
            for (kind, id_), state in self.notify.states.items()
            if kind == "clock" and state.state is not None
        }

    def published(self) -> Iterator[tuple[UUID, Event]]:
        """The events of clocks, in order."""
        return ((id_, event) for _, kind, id_, event in self.notify.log if kind == "clock")


# The other way of counting: no table and no bisection. It walks from day to day, asking chinesecalendar for
# the years that are announced and three plain lists for those that are not.


def _days(*spans: str) -> set[date]:
    found = set()
    for span in spans:
        first, _, last = span.partition("/")
        day = date.fromisoformat(first)
        while day <= date.fromisoformat(last or first):
            found.add(day)
            day += ONE_DAY
    return found


STATUTORY = _days(
    "2027-01-01", "2027-02-05/2027-02-08", "2027-04-05", "2027-05-01/2027-05-02", "2027-06-09", "2027-09-15",
    "2027-10-01/2027-10-03", "2028-01-01", "2028-01-25/2028-01-28", "2028-04-04", "2028-05-01/2028-05-02",
)  # fmt: skip
NOTICED = _days(
    "2027-01-01/2027-01-03", "2027-02-05/2027-02-11", "2027-04-03/2027-04-05", "2027-05-01/2027-05-02",
    "2027-06-09", "2027-09-15", "2027-10-01/2027-10-07",
)  # fmt: skip
MAKE_UP = _days("2027-02-20", "2027-10-09")


def works(day: date, imported: bool) -> bool:
    """Whether offices work on this day, before or after the import."""
    if day.year <= 2026:
        return bool(chinese_calendar.is_workday(day))
    if imported and day.year == 2027:
        return day in MAKE_UP or (day.weekday() < 5 and day not in NOTICED)
    return day.weekday() < 5 and day not in STATUTORY


def due(start: datetime, limit: str, pauses: list[tuple[datetime, datetime]], imported: bool) -> datetime:
    """When it is due, walked from day to day; no pause of minutes and hours is in the script."""
    amount, unit = int(limit.rstrip("mhwcdo!+")), limit.lstrip("0123456789")
    if unit in ("m", "h"):
        assert not pauses
        return start + amount * (timedelta(hours=1) if unit == "h" else MINUTE)

    def still(day: date) -> bool:
        return any(a.astimezone(SHANGHAI).date() <= day < b.astimezone(SHANGHAI).date() for a, b in pauses)

    day = start.astimezone(SHANGHAI).date()
    while amount:
        day += ONE_DAY
        amount -= not still(day) and (unit == "cd" or works(day, imported))
    while not works(day, imported) or still(day):
        day += ONE_DAY
    return datetime.combine(day + ONE_DAY, datetime.min.time(), SHANGHAI)


class Told:
    """What the published events say of one clock; no due moment of theirs is believed."""

    def __init__(self) -> None:
        self.start: datetime
        self.limit = ""
        self.pauses: list[list[datetime]] = []
        self.breaches: list[datetime] = []

    def hear(self, event: Any) -> None:
        match event.type:
            case "clock.started":
                self.start, self.limit = event.started_at, event.limit
            case "clock.rescheduled":
                self.limit = event.limit
            case "clock.paused":
                self.pauses.append([event.paused_at])
            case "clock.resumed":
                self.pauses[-1].append(event.resumed_at)
            case "clock.breached":
                self.breaches.append(event.due_at)

    def due_at(self, end: datetime) -> datetime:
        """By what was known when it ended or fell due; the notice counts for what was open when it came."""
        pauses = [(pause[0], pause[1]) for pause in self.pauses if len(pause) == 2]
        before = due(self.start, self.limit, pauses, imported=False)
        stood = any(len(p) == 1 or p[0] <= IMPORT < p[1] for p in self.pauses)
        changed = self.start >= IMPORT or (end > IMPORT and (before > IMPORT or stood))
        return due(self.start, self.limit, pauses, imported=True) if changed else before

    def expected(self, clock: Clock) -> tuple[str, datetime, int]:
        """State, due moment and length of lateness, from when the duty ended and the plain count."""
        end = clock.end
        at = self.due_at(end.at if end else END)
        if end is None:
            return "breached", at, 0
        if end.ending == "cancelled":
            return "cancelled", at, 0
        if end.at <= at or any(len(pause) == 1 and pause[0] <= end.at for pause in self.pauses):
            return "met", at, 0
        return "met_late", at, math.ceil((end.at - at).total_seconds())


def told(events: Iterable[tuple[UUID, Event]]) -> dict[UUID, Told]:
    """What the events of each clock say."""
    known: dict[UUID, Told] = defaultdict(Told)
    for id_, event in events:
        known[id_].hear(event)
    return known


def disagreements(clocks: dict[UUID, Clock], known: dict[UUID, Told]) -> list[str]:
    """Every clock that has not come to its end, or on which the two ways of counting differ."""
    wrong = []
    for id_, clock in clocks.items():
        state, at, late = known[id_].expected(clock)
        if (clock.state, clock.due_at, clock.late_seconds) != (state, at, late):
            which = f"{clock.duty} {clock.limit} of {clock.started_at}"
            wrong.append(
                f"{which}: {clock.state} {clock.due_at} {clock.late_seconds}, not {state} {at} {late}"
            )
        if clock.state in ("breached", "met_late") and known[id_].breaches != [clock.due_at]:
            wrong.append(f"{clock.duty} {id_} breached at {known[id_].breaches}, due at {clock.due_at}")
    return wrong
