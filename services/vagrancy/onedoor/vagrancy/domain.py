"""What vagrancy decides about a stay at the relief station: from the plan that names it to the way home.

Relief is voluntary: nobody is kept, so leaving is always possible. A minor is never admitted. Who is
unidentified is searched for from the admission on; those duties' clocks are notify's.
Sources: 381 = 国务院令第381号, 132 = 民发〔2014〕132号, 158 = 民发〔2015〕158号; D = a rule of this house.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Literal
from uuid import UUID

from pydantic import Field

from onedoor.calendar import local
from onedoor.contracts import work
from onedoor.contracts.core import Command, Context, Decider, Event, Refusal, derived_id
from onedoor.contracts.events.case import CaseEvent, CaseReopened
from onedoor.contracts.events.stay import (
    StayAdmitted,
    StayCareGiven,
    StayIdentified,
    StayLeft,
    StayOpened,
    StayReturned,
)
from onedoor.contracts.referral_rules import travelling
from onedoor.contracts.work import (
    NoteReferral,
    Opening,
    RequestReferral,
    Supplemented,
    WithdrawCase,
    Work,
    identity_of,
    not_coded,
)
from onedoor.triage.rules import packaged_rules

NAME = "vagrancy"

StayState = Literal["opened", "admitted", "in_care", "identified", "returned", "left"]
Screening = Literal["fit", "infectious", "acute_illness", "mental_crisis", "dangerous", "drugs"]
ENDED: frozenset[StayState] = frozenset({"returned", "left"})
HERE: frozenset[StayState] = frozenset({"admitted", "in_care", "identified"})
"""The states of somebody who is at the station."""

CARE = frozenset(
    {
        "food",
        "lodging",
        "clothing",
        "washing",
        "medical",
        "contact_family",
        "psychological",
        "tracing_notice",
    }
)
"""What the station gives (381 art. 7; 132); tracing_notice: published for somebody whom nobody knows, within
24 hours of admission (158; L29).
"""

HOW = frozenset(
    {"document", "police_face", "fingerprint", "dna", "relative", "tracing_notice", "statement_checked"}
)
"""How an identity became known (158)."""

MEANS = frozenset({"ticket", "escorted", "family_fetched", "fetched_by_home_station"})
"""How somebody goes home (381 art. 7; 132)."""

LEAVING = frozenset(
    {
        "own_wish",
        "never_came",
        "family",
        "hospital",
        "police",
        "to_child_welfare",
        "placed",
        "withdrawn",
        "died",
    }
)
"""Why a stay ends otherwise than at home; placed: care elsewhere or a household register here (158)."""

IMPAIRED = frozenset({"intellectual", "mental"})

ELSEWHERE_FIRST: Mapping[Screening, str] = {
    "infectious": "hospital",
    "acute_illness": "hospital",
    "mental_crisis": "hospital",
    "dangerous": "police",
    "drugs": "police",
}
"""Who is brought elsewhere before the station admits them (132)."""
_FIRST_ZH = {"hospital": "送医救治", "police": "移交公安机关"}


class Stay(Work):
    """The folded state. unidentified: nobody knows who it is; only_minors: no adult is among the people.

    known_at: how new the facts of the application are that it knows; facts: coded, of the only adult.
    """

    state: StayState | None = None
    unidentified: bool = False
    only_minors: bool = False
    known_at: datetime | None = None
    facts: dict[str, Any] = Field(default_factory=dict)
    admitted_at: datetime | None = None
    care: tuple[str, ...] = ()
    how: str | None = None
    to_division: str | None = None


class OpenStay(Opening):
    """Open the stay, or make known what a supplement added. `known_at`: when the facts were recorded."""

    subjects: tuple[UUID, ...] = ()
    unidentified: bool = False
    only_minors: bool = False
    known_at: datetime
    facts: dict[str, Any] = Field(default_factory=dict)


class Admit(Command):
    """Admit somebody who wants it. age: in full years, as seen or read at reception; unidentified: as found
    there, None: as the application says.
    """

    screening: Screening
    age: int | None = None
    unidentified: bool | None = None


class GiveCare(Command):
    care: tuple[str, ...]


class Identify(Command):
    how: str


class Return(Command):
    """Home, to the township `to_division` that receives them."""

    to_division: str | None
    means: str


class Leave(Command):
    reason: str


class StaySupplemented(Supplemented):
    type = "stay.supplemented"

    subjects: tuple[UUID, ...] = ()
    unidentified: bool = False
    only_minors: bool = False
    known_at: datetime
    facts: dict[str, Any] = Field(default_factory=dict)


ALLOWED: Mapping[type[Command], frozenset[StayState]] = {
    Admit: frozenset({"opened"}),
    GiveCare: HERE,
    Identify: HERE,
    Return: HERE,
    Leave: HERE | {"opened"},
    RequestReferral: HERE | {"opened"},
}
"""In which states each command of the station may be given."""

TO_CHILD_WELFARE = Refusal(
    "stay.to_child_welfare",
    "A minor is never admitted: end the stay as to_child_welfare, which hands over to the protection centre.",
    "救助管理站不接收未成年人：请以 to_child_welfare 结束本次救助，系统即转介未成年人保护中心。",
)
"""158 §三(四): minors never in adult homes."""

WHOSE_HOME = Refusal(
    "stay.unidentified",
    "Nobody knows yet who it is: record how that became known before the way home.",
    "尚未查明身份，请先登记身份查明方式，再安排返乡。",
)


def decide(stay: Stay, command: Command, context: Context) -> Sequence[Event] | Refusal:
    """The events of a command, or why not. The same wish twice is no second event."""
    identity = identity_of(NAME, stay, command)
    match command:
        case OpenStay():
            return _open(stay, command, context, identity)
        case NoteReferral():
            return work.note(stay, command, identity)
        case WithdrawCase():
            return _withdraw(stay, command, identity)
    if stay.state is None:
        return Refusal("stay.unknown", "There is no such stay; check its id.", "没有该救助记录，请核对编号。")
    if _repeated(stay, command):
        return ()
    if stay.state not in ALLOWED[type(command)]:
        return _wrong_state(stay.state)
    return _refusal(stay, command) or _events(stay, command, context, identity)


def _open(
    stay: Stay, command: OpenStay, context: Context, identity: dict[str, Any]
) -> Sequence[Event] | Refusal:
    again = stay.state == "left" and stay.reason == "withdrawn" and work.knocks_again(stay, command)
    if stay.state in ENDED and not again:
        return _ended(stay.state) if work.raises(command, stay) else ()
    known = StaySupplemented(**identity, **_known(stay, command))
    if stay.state is None:
        opened = StayOpened(
            **identity,
            urgency=command.urgency,
            opened_at=context.now,
            subjects=command.subjects,
            division=command.division,
            unidentified=command.unidentified,
            told_at=command.told_at,
        )
        if stay.withdrawal_marked and not work.knocks_again(stay, command):
            return (opened, known, StayLeft(**identity, reason="withdrawn", withdrawn_at=stay.withdrawn_at))
        return (opened, known)
    events = work.supplement(stay, command, known, identity)
    return [*events, CaseReopened(**identity, reason="told_again")] if again else events


def _known(stay: Stay, command: OpenStay) -> dict[str, Any]:
    """Both together, whatever the order of arrival; where they contradict, the facts recorded later count.

    Whether anybody knows who it is was seen at the admission, if that has been.
    """
    newest: Stay | OpenStay = command
    if stay.known_at is not None and stay.known_at > command.known_at:
        newest = stay
    return {
        "division": newest.division or stay.division or command.division,
        "subjects": work.joined(stay.subjects, command.subjects),
        "unidentified": stay.unidentified if stay.admitted_at else newest.unidentified,
        "only_minors": newest.only_minors,
        "known_at": newest.known_at,
        "told_at": work.last_told(stay, command),
        "facts": newest.facts,
    }


def _withdraw(stay: Stay, command: WithdrawCase, identity: dict[str, Any]) -> Sequence[Event]:
    """Who is at the station already leaves when they wish, not when a paper is withdrawn (D, from 381)."""
    if stay.state is None:
        return work.mark_withdrawal(stay, command, identity)
    if stay.state != "opened" or work.told_since(stay, command):
        return ()
    return (StayLeft(**identity, reason="withdrawn", withdrawn_at=command.at),)


def _repeated(stay: Stay, command: Command) -> bool:
    match command:
        case Admit():
            return stay.state in HERE
        case Identify():
            return stay.how == command.how
        case Return():
            return stay.state == "returned" and stay.to_division == command.to_division
        case Leave():
            return stay.state == "left"
        case RequestReferral():
            return command.request_id in stay.requests
    return False


def _refusal(stay: Stay, command: Command) -> Refusal | None:
    match command:
        case Admit():
            return _not_admitted(stay, command)
        case GiveCare():
            return not_coded("care", CARE) if not command.care or set(command.care) - CARE else None
        case Identify():
            return None if command.how in HOW else not_coded("how", HOW)
        case Return():
            return _not_returned(stay, command)
        case Leave():
            return None if command.reason in LEAVING else not_coded("reason", LEAVING)
        case RequestReferral():
            return work.not_referred(NAME, stay, command)
    return None


def _not_admitted(stay: Stay, command: Admit) -> Refusal | None:
    if command.age < 18 if command.age is not None else stay.only_minors:
        return TO_CHILD_WELFARE
    first = ELSEWHERE_FIRST.get(command.screening)
    if first is None:
        return None
    return Refusal(
        f"stay.{first}_first",
        f"Who is {command.screening} goes to the {first} first; admit them once they are fit.",
        f"筛查结果为 {command.screening}，应先{_FIRST_ZH[first]}，符合条件后再接收。",
    )


def _not_returned(stay: Stay, command: Return) -> Refusal | None:
    if stay.unidentified:
        return WHOSE_HOME
    if command.to_division is None:
        return Refusal(
            "stay.no_receiver",
            "Name the township that receives them: its division code.",
            "请填写接收地乡镇（街道）的区划代码。",
            "to_division",
        )
    return None if command.means in MEANS else not_coded("means", MEANS)


def _events(stay: Stay, command: Command, context: Context, identity: dict[str, Any]) -> Sequence[Event]:
    match command:
        case Admit():
            return _admitted(stay, command, context, identity)
        case GiveCare():
            return (StayCareGiven(**identity, care=tuple(dict.fromkeys(command.care))),)
        case Identify():
            return (StayIdentified(**identity, how=command.how),)
        case Return():
            assert command.to_division is not None
            returned = StayReturned(**identity, to_division=command.to_division, means=command.means)
            return (returned, work.requested(_home(stay, command, context), context, identity))
        case Leave():
            return _left(stay, command, context, identity)
        case RequestReferral():
            return (work.requested(command, context, identity),)
    raise TypeError(f"a stay knows no {type(command).__name__}")


def _admitted(stay: Stay, command: Admit, context: Context, identity: dict[str, Any]) -> Sequence[Event]:
    """With the request to the police where nobody knows who it is (R6).

    The plan may have asked for it already: its origin is the application there and here, so notify sends one.
    """
    unidentified = stay.unidentified if command.unidentified is None else command.unidentified
    admitted = StayAdmitted(
        **identity,
        admitted_at=context.now,
        unidentified=unidentified,
        impaired=_impaired(stay),
        subjects=stay.subjects,
    )
    if not unidentified:
        return (admitted,)
    assert stay.application_id is not None
    age = {} if command.age is None else {"age": command.age}
    today = local(context.now).date()
    known = stay.facts | age | {"unidentified": True, "admitted_on": today.isoformat()}
    police = RequestReferral(
        target=command.target,
        request_id=stay.application_id,
        rule="R6",
        to="public-security",
        to_division=stay.division,
        urgency="urgent",
        subjects=stay.subjects,
        facts=travelling("R6", known, today),
    )
    return (admitted, work.requested(police, context, identity))


def _impaired(stay: Stay) -> bool:
    """Signs of a mental disorder or an intellectual disability: such a stay knows no ten days (132)."""
    return stay.facts.get("mental_crisis") is True or stay.facts.get("disability_type") in IMPAIRED


def _home(stay: Stay, command: Return, context: Context) -> RequestReferral:
    """The origin township looks after them from now on (R8); beyond this district, that district does."""
    assert command.to_division is not None
    near = command.to_division.startswith(packaged_rules().home)
    return RequestReferral(
        target=command.target,
        request_id=derived_id("referral-request", command.target, "R8"),
        rule="R8",
        to="township" if near else "other-district",
        to_division=command.to_division,
        urgency="ordinary",
        subjects=stay.subjects,
        facts=travelling("R8", stay.facts, local(context.now).date()),
    )


def _left(stay: Stay, command: Leave, context: Context, identity: dict[str, Any]) -> Sequence[Event]:
    """A minor who was taken for an adult is handed to the protection centre (R5)."""
    left = StayLeft(**identity, reason=command.reason)
    if command.reason != "to_child_welfare":
        return (left,)
    minor = RequestReferral(
        target=command.target,
        request_id=derived_id("referral-request", command.target, "R5"),
        rule="R5",
        to="minor-protection-centre",
        to_division=stay.division,
        urgency="critical",
        subjects=stay.subjects,
        facts={"street": True},
    )
    return (left, work.requested(minor, context, identity | {"child": True}))


def _wrong_state(state: StayState) -> Refusal:
    if state in ENDED:
        return _ended(state)
    return Refusal(
        "stay.state",
        f"The stay is {state}; this step does not follow from there.",
        f"救助当前状态为 {state}，不能进行此操作。",
    )


def _ended(state: StayState) -> Refusal:
    return Refusal(
        "stay.ended",
        f"The stay is {state}; who comes again is taken down anew.",
        f"本次救助已结束（{state}）；再次求助请另行登记。",
    )


def evolve(stay: Stay, event: Event) -> Stay:
    """The state after the event. Events that are not a case's change nothing."""
    return work.evolve(stay, event, _change)


def _change(stay: Stay, event: CaseEvent) -> dict[str, Any]:
    match event:
        case StayOpened():
            names = {"urgency", "opened_at", "subjects", "division", "unidentified"}
            return {"state": "opened", "reason": None, **event.model_dump(include=names)}
        case StayAdmitted():
            return {"state": "admitted", "admitted_at": event.admitted_at, "unidentified": event.unidentified}
        case StayCareGiven():
            state = "in_care" if stay.state == "admitted" else stay.state
            return {"state": state, "care": work.joined(stay.care, event.care)}
        case StayIdentified():
            return {"state": "identified", "how": event.how, "unidentified": False}
        case StayReturned():
            return {"state": "returned", "to_division": event.to_division, "reason": event.means}
        case StayLeft():
            return {"state": "left", "reason": event.reason}
        case CaseReopened():
            return {"state": "opened", "reason": None}
    return {}


DECIDER: Decider[Stay] = Decider(
    name="stay",
    state=Stay,
    initial=Stay,
    decide=decide,
    evolve=evolve,
    commands=(OpenStay, WithdrawCase, NoteReferral, *ALLOWED),
    internal=(*work.INTERNAL, StaySupplemented),
)
