"""What charity decides about a need that public aid left: from the plan that names it to the aid given.

Nothing goes out before a consent in writing stands; what goes out says what is needed, never who needs it.
A provider takes the need, and only then asks for the identity, at intake. Sources: 23 = 民发〔2023〕46号;
PIPL = 个人信息保护法; WBF = 未成年人保护法; D = a rule of this house.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Literal

from onedoor.contracts import work
from onedoor.contracts.core import Command, Context, Decider, Event, Refusal
from onedoor.contracts.events.case import CaseEvent, CaseReopened
from onedoor.contracts.events.need import (
    NeedClosed,
    NeedDeclined,
    NeedDelivered,
    NeedDrafted,
    NeedMatched,
    NeedPublished,
)
from onedoor.contracts.work import (
    KeptEvent,
    NoteReferral,
    Opening,
    RequestReferral,
    Supplemented,
    WithdrawCase,
    Work,
    identity_of,
    not_coded,
)

NAME = "charity"

NeedState = Literal["drafted", "published", "matched", "delivered", "declined", "closed"]
ConsentBy = Literal["person", "guardian", "temporary_guardian"]
OFFERED: frozenset[NeedState] = frozenset({"published", "declined"})
"""What any provider sees: what nobody has taken."""

GIVEN = frozenset(
    {"cash", "goods", "food", "medical_cost", "education_cost", "housing_repair", "equipment", "service"}
)

DECLINING = frozenset({"no_funds", "not_our_purpose", "area_not_served", "met_by_others", "not_reached"})

CLOSING = frozenset({"met", "no_provider", "need_gone", "consent_withdrawn", "moved_away", "died"})
ANY_TIME = frozenset({"consent_withdrawn", "died"})
"""Reasons that close a need whoever holds it: a consent can always be taken back (PIPL art. 15)."""


class Need(Work):
    """The folded state. No person's id is in it.

    minor: nobody of age is among the people; suspected: somebody near them may do harm, so that a guardian's
    word does not count; known_at: how new the facts of the application are that it knows.
    """

    state: NeedState | None = None
    needs: tuple[str, ...] = ()
    minor: bool = False
    suspected: bool = False
    known_at: datetime | None = None
    gap_fen: int | None = None
    consent_by: ConsentBy | None = None
    consent_on: date | None = None
    provider: str | None = None
    given: tuple[str, ...] = ()
    delivered_fen: int = 0


class DraftNeed(Opening):
    """Take the need down, or make known what a supplement added. `known_at`: when the facts were recorded."""

    needs: tuple[str, ...] = ()
    minor: bool = False
    suspected: bool = False
    known_at: datetime


class Consent(Command):
    """A consent in writing: whose, of which day, and the gap in fen if it is known by now."""

    by: ConsentBy
    signed_on: date
    gap_fen: int | None = None


class Match(Command):
    provider: str | None


class Deliver(Command):
    """What the provider gave, and its worth in fen."""

    provider: str | None
    given: str
    amount_fen: int


class Decline(Command):
    provider: str | None
    reason: str


class Close(Command):
    reason: str


class NeedSupplemented(Supplemented):
    type = "need.supplemented"

    needs: tuple[str, ...] = ()
    minor: bool = False
    suspected: bool = False
    known_at: datetime


class ConsentGiven(KeptEvent):
    """A consent in writing is there."""

    type = "need.consent_given"

    by: ConsentBy
    signed_on: date
    gap_fen: int | None = None


ALLOWED: Mapping[type[Command], frozenset[NeedState]] = {
    Consent: frozenset({"drafted"}),
    Match: OFFERED,
    Deliver: frozenset({"matched", "delivered"}),
    Decline: OFFERED | {"matched"},
    Close: OFFERED | {"drafted", "delivered"},
}
"""In which states each command of the charity may be given."""


def decide(need: Need, command: Command, context: Context) -> Sequence[Event] | Refusal:
    """The events of a command, or why not. The same wish twice is no second event, but of a delivery."""
    identity = identity_of(NAME, need, command)
    match command:
        case DraftNeed():
            return _draft(need, command, context, identity)
        case NoteReferral():
            return work.note(need, command, identity)
        case WithdrawCase():
            return _withdraw(need, command, identity)
    if need.state is None:
        return Refusal("need.unknown", "There is no such need; check its id.", "没有该需求，请核对编号。")
    if _repeated(need, command):
        return ()
    any_time = isinstance(command, Close) and command.reason in ANY_TIME and need.state != "closed"
    if need.state not in ALLOWED[type(command)] and not any_time:
        return _wrong_state(need.state)
    return _refusal(need, command, context) or _events(need, command, context, identity)


def _draft(
    need: Need, command: DraftNeed, context: Context, identity: dict[str, Any]
) -> Sequence[Event] | Refusal:
    again = need.state == "closed" and need.reason == "withdrawn" and work.knocks_again(need, command)
    if need.state == "closed" and not again:
        return _wrong_state("closed") if work.raises(command, need) else ()
    known = NeedSupplemented(**identity, **_known(need, command))
    if need.state is None:
        drafted = NeedDrafted(
            **identity,
            urgency=command.urgency,
            opened_at=context.now,
            division=command.division,
            told_at=command.told_at,
        )
        if need.withdrawal_marked and not work.knocks_again(need, command):
            return (
                drafted,
                known,
                NeedClosed(**identity, reason="withdrawn", withdrawn_at=need.withdrawn_at),
            )
        return (drafted, known)
    events = work.supplement(need, command, known, identity)
    return [*events, CaseReopened(**identity, reason="told_again")] if again else events


def _known(need: Need, command: DraftNeed) -> dict[str, Any]:
    """Both together, whatever the order of arrival; a suspicion once known stays."""
    newest: Need | DraftNeed = command
    if need.known_at is not None and need.known_at > command.known_at:
        newest = need
    return {
        "division": newest.division or need.division or command.division,
        "needs": work.joined(need.needs, command.needs),
        "minor": newest.minor,
        "suspected": need.suspected or command.suspected,
        "known_at": newest.known_at,
        "told_at": work.last_told(need, command),
    }


def _withdraw(need: Need, command: WithdrawCase, identity: dict[str, Any]) -> Sequence[Event]:
    """Who withdraws the application takes the consent back too, unless the aid is given already."""
    if need.state is None:
        return work.mark_withdrawal(need, command, identity)
    if need.state in ("delivered", "closed") or work.told_since(need, command):
        return ()
    return (NeedClosed(**identity, reason="withdrawn", withdrawn_at=command.at),)


def _repeated(need: Need, command: Command) -> bool:
    match command:
        case Consent():
            return (need.consent_by, need.consent_on) == (command.by, command.signed_on)
        case Match():
            return need.state == "matched" and need.provider == command.provider
        case Close():
            return need.state == "closed"
    return False


def _refusal(need: Need, command: Command, context: Context) -> Refusal | None:
    match command:
        case Consent():
            return _no_consent(need, command, context)
        case Match():
            return _no_provider(command.provider, context)
        case Deliver():
            return (
                _no_provider(command.provider, context)
                or _not_theirs(need, command.provider)
                or (None if command.given in GIVEN else not_coded("given", GIVEN))
                or (None if command.amount_fen >= 0 else _NEGATIVE)
            )
        case Decline():
            return (
                _no_provider(command.provider, context)
                or (_not_theirs(need, command.provider) if need.state == "matched" else None)
                or (None if command.reason in DECLINING else not_coded("reason", DECLINING))
            )
        case Close():
            if command.reason == "met" and need.state != "delivered":
                return _NOT_MET
            return None if command.reason in CLOSING else not_coded("reason", CLOSING)
    return None


def _no_consent(need: Need, command: Consent, context: Context) -> Refusal | None:
    if command.signed_on > context.now.date():
        return Refusal(
            "need.consent_later",
            "The consent is of a day to come: record it once it is signed.",
            "同意书签署日期晚于今天，请在签署后登记。",
            "signed_on",
        )
    if need.minor and command.by == "person":
        return Refusal(
            "need.guardian_consents",
            "For a minor the guardian signs; a guardian under suspicion is replaced by the temporary one.",
            "未成年人应由监护人签署；监护人涉嫌侵害的，由临时监护人签署。",
            "by",
        )
    if need.suspected and command.by == "guardian":
        return Refusal(
            "need.guardian_suspected",
            "Harm by somebody near is suspected: the person or a temporary guardian signs, no guardian.",
            "存在身边人侵害嫌疑，应由本人或临时监护人签署，监护人签署无效。",
            "by",
        )
    return None if command.gap_fen is None or command.gap_fen > 0 else _NO_GAP


_NO_GAP = Refusal(
    "need.no_gap",
    "A gap is more than nothing; leave it out where it is not known.",
    "缺口金额应大于零；未知时请不要填写。",
    "gap_fen",
)
_NOT_MET = Refusal(
    "need.not_delivered",
    "Nothing is recorded as given: record it first, or close with another reason.",
    "尚无给付记录，请先登记给付或选择其他结案原因。",
    "reason",
)
_NEGATIVE = Refusal("need.amount", "An amount in fen is 0 or more.", "金额（分）应为零或正数。", "amount_fen")


def _no_provider(provider: str | None, context: Context) -> Refusal | None:
    """Everybody speaks for their own house; who belongs to none names the provider (D)."""
    if provider is None:
        return Refusal("need.provider", "Name the provider.", "请填写承接单位。", "provider")
    own = context.actor.department
    if own is None or own == provider:
        return None
    return Refusal(
        "need.other_provider",
        "You answer for your own house alone; leave the provider out.",
        "只能代表本单位操作，请勿填写其他单位。",
        "provider",
    )


def _not_theirs(need: Need, provider: str | None) -> Refusal | None:
    if need.provider == provider:
        return None
    return Refusal(
        "need.taken_by_another",
        f"The need is taken by {need.provider}, who alone records what was given.",
        f"该需求已由 {need.provider} 承接，只能由其登记。",
    )


def _events(need: Need, command: Command, context: Context, identity: dict[str, Any]) -> Sequence[Event]:
    match command:
        case Consent():
            return _consented(need, command, context, identity)
        case Match():
            assert command.provider is not None
            return (NeedMatched(**identity, provider=command.provider),)
        case Deliver():
            said = command.model_dump(exclude={"target"})
            return (NeedDelivered(**identity, **said, delivered_at=context.now),)
        case Decline():
            return (NeedDeclined(**identity, **command.model_dump(exclude={"target"})),)
        case Close():
            return (NeedClosed(**identity, reason=command.reason),)
    raise TypeError(f"a need knows no {type(command).__name__}")


def _consented(need: Need, command: Consent, context: Context, identity: dict[str, Any]) -> Sequence[Event]:
    """Published, and handed to the charity federation (R17): the plan's own draft, that notify may send now.

    The application is its origin there and here, so there is one; it names nobody.
    """
    assert need.application_id is not None
    gap = {} if command.gap_fen is None else {"gap_fen": command.gap_fen}
    handed = RequestReferral(
        target=command.target,
        request_id=need.application_id,
        rule="R17",
        to="charity-federation",
        to_division=need.division,
        urgency=need.urgency,
        facts={"consent_charity": True} | gap,
    )
    return (
        ConsentGiven(**identity, by=command.by, signed_on=command.signed_on, gap_fen=command.gap_fen),
        NeedPublished(**identity, needs=need.needs, division=need.division, gap_fen=command.gap_fen),
        work.requested(handed, context, identity),
    )


def _wrong_state(state: NeedState) -> Refusal:
    if state == "closed":
        return Refusal(
            "need.ended",
            "The need is closed; take down a new application.",
            "该需求已结案，请另行登记求助。",
        )
    return Refusal(
        "need.state",
        f"The need is {state}; this step does not follow from there.",
        f"需求当前状态为 {state}，不能进行此操作。",
    )


def evolve(need: Need, event: Event) -> Need:
    """The state after the event. Events that are not a case's change nothing."""
    return work.evolve(need, event, _change)


def _change(need: Need, event: CaseEvent) -> dict[str, Any]:
    match event:
        case NeedDrafted():
            told = event.model_dump(include={"urgency", "opened_at", "division"})
            return {"state": "drafted", "reason": None, **told}
        case ConsentGiven():
            return {"consent_by": event.by, "consent_on": event.signed_on, "gap_fen": event.gap_fen}
        case NeedPublished():
            return {"state": "published"}
        case NeedMatched():
            return {"state": "matched", "provider": event.provider}
        case NeedDelivered():
            return {
                "state": "delivered",
                "given": (*need.given, event.given),
                "delivered_fen": need.delivered_fen + event.amount_fen,
            }
        case NeedDeclined():
            return {"state": "declined", "provider": None, "reason": event.reason}
        case NeedClosed():
            return {"state": "closed", "reason": event.reason}
        case CaseReopened():
            # The consent went with the withdrawal: a new one is needed.
            return {"state": "drafted", "reason": None, "consent_by": None, "consent_on": None}
    return {}


DECIDER: Decider[Need] = Decider(
    name="need",
    state=Need,
    initial=Need,
    decide=decide,
    evolve=evolve,
    commands=(DraftNeed, WithdrawCase, NoteReferral, *ALLOWED),
    internal=(*work.INTERNAL, NeedSupplemented, ConsentGiven),
)
