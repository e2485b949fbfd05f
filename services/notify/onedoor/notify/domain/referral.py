"""A referral: what one department asks of another, and what may follow what.

A critical referral is never extended; returned, it stays with its first receiver until the next one
acknowledges (首接负责). Nobody closes a protection duty by revoking its referral. A wrong unit returns it
within a working day; the third return of a matter goes to the coordinating bureau, whose decision stands.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from onedoor.calendar import Limit, Unit, in_force, local
from onedoor.contracts.core import Classification, Command, Context, Decider, Event, Refusal, Urgency
from onedoor.contracts.events.notify import (
    Kept,
    ReferralAcknowledged,
    ReferralActed,
    ReferralAnswered,
    ReferralClosed,
    ReferralDrafted,
    ReferralExtended,
    ReferralExtensionAsked,
    ReferralExtensionDeclined,
    ReferralReopened,
    ReferralReturned,
    ReferralRevoked,
    ReferralSent,
    ReferralSupplemented,
    ReferralVerified,
)
from onedoor.contracts.referral_rules import PROTECTION, RANK, RULES, check_feedback, directory
from onedoor.notify.domain import duties

State = Literal[
    "drafted",
    "sent",
    "acknowledged",
    "acted",
    "returned",
    "extended",
    "answered",
    "verified",
    "closed",
    "reopened",
    "revoked",
]

TAKEN_UP: frozenset[State] = frozenset({"acknowledged", "acted"})
RETURN_REASONS = ("not_our_matter", "wrong_division", "duplicate", "person_not_found", "other")
HANDED_ON = "handed_on"
"""The reason of the return by which the coordinating bureau gives a matter to whom it has decided."""
EXTENSION_REASONS = ("waiting_for_others", "person_unreachable", "more_facts_needed", "other")
REOPENING_REASONS = ("need_remains", "answer_incomplete", "new_facts", "other")
REVOCATION_REASONS = ("no_longer_needed", "sent_in_error", "other")
ONE_LEVEL_UP = "one_level_up"
"""The reason for which what went to a suspected unit is taken from there."""
OUTCOMES = ("helped", "partly_helped", "not_eligible", "declined", "not_found", "no_need", "other")
"""The codes that travel; the words that go with them stay in notify."""

LONGEST_EXTENSION = Limit.parse(directory().extension)
RETURN_WITHIN = Limit.parse(directory().return_within)


class Wanted(BaseModel):
    """A referral as it is asked for: by the plan of an application, or by a person out of a case.

    sent_at: when it was asked for, from when its clocks run; dated: the plan says that moment itself, so that
    a later one asks anew; told_at: how new its facts are; drafted: the coded reason for which it may not be
    sent yet; service: whose case asks; facts: codes that may travel by its rule; child, sealed: how closely
    it is kept; replaces: the returned referral in whose place it stands; settled: the coordinating bureau
    holds it or has decided whose it is, so that nobody returns it.
    """

    model_config = ConfigDict(frozen=True)

    rule: str
    from_: str
    to: str
    to_division: str | None = None
    urgency: Urgency
    sent_at: datetime
    dated: bool = False
    told_at: datetime
    ground: str = ""
    drafted: str | None = None
    case_id: UUID | None = None
    service: str | None = None
    subjects: tuple[UUID, ...] = ()
    facts: dict[str, Any] = Field(default_factory=dict)
    late_entry: bool = False
    child: bool = False
    sealed: bool = False
    replaces: UUID | None = None
    settled: bool = False

    def joined(self, other: "Wanted") -> "Wanted":
        """This one with what the other knows: the newer facts, kept as closely as either has to be.

        Whoever tells more tells all that is known by then, so that the newer facts hold the older ones.
        """
        newer = other if other.told_at > self.told_at else self
        known = {name: getattr(newer, name) for name in ("subjects", "facts", "told_at")}
        marks = {"child": self.child or other.child, "sealed": self.sealed or other.sealed}
        return self.model_copy(update=known | marks | {"replaces": self.replaces or other.replaces})


class AskedExtension(BaseModel):
    """What the receiver asks for and the sender has not decided yet."""

    model_config = ConfigDict(frozen=True)

    reason: str
    until: datetime


class Referral(BaseModel):
    """The folded state; `state` is None before it was opened.

    since: when the receiver got it (last); acknowledged, acted, extended: whether that has happened since;
    extension: asked for and not decided; handed_on: after a return another referral stands in its place;
    released: that one's receiver has taken over; barred: it is not reopened there.
    """

    model_config = ConfigDict(frozen=True)

    referral_id: UUID | None = None
    chain_id: UUID | None = None
    application_id: UUID | None = None
    wanted: Wanted | None = None
    state: State | None = None
    sent_at: datetime | None = None
    since: datetime | None = None
    due_ack: datetime | None = None
    due_action: datetime | None = None
    due_finish: datetime | None = None
    acknowledged: bool = False
    acted: bool = False
    extended: bool = False
    extension: AskedExtension | None = None
    handed_on: bool = False
    released: bool = False
    barred: bool = False

    @property
    def critical(self) -> bool:
        return self.wanted is not None and self.wanted.urgency == "critical"

    @property
    def protection(self) -> bool:
        """Whether its duty stands whatever anyone signs."""
        return self.wanted is not None and self.wanted.rule in PROTECTION

    @property
    def held(self) -> bool:
        """Returned, but still the first receiver's (首接负责)."""
        return self.state == "returned" and self.critical and not self.released

    @property
    def waits_for_next(self) -> bool:
        """Held, or taken up by the first receiver after all, until the one in its place is acknowledged."""
        taken_up = self.critical and self.handed_on and self.state in TAKEN_UP
        return self.held or taken_up


class OpenReferral(Command):
    """Open it; where it is open: raise its urgency, or send the draft, if that is what is wanted now."""

    chain_id: UUID
    application_id: UUID
    wanted: Wanted


class InformReferral(Command):
    """More is known of it: facts, people, or how closely it has to be kept."""

    wanted: Wanted


class Release(Command):
    """The application, or the consent that it needs, was withdrawn at `at`: revoke it if it is still open and
    no protection.
    """

    at: datetime
    reason: str = "withdrawn"


class Divert(Command):
    """It went to a unit that is named as suspected: it is taken from there, and asked of `to`."""

    to: str
    to_division: str | None = None


class TakeOver(Command):
    """The next receiver has acknowledged: a held referral leaves its first receiver."""


class NoteHandedOn(Command):
    """Another referral stands in place of this returned one."""


class NoteDue(Command):
    """Its finish clock was set to another due moment by a pause."""

    due_finish: datetime


class ByPerson(Command):
    """`on_behalf`: 代签收, recorded for a unit without an account; for whom and how stays outside events."""

    on_behalf: bool = False


class Send(ByPerson):
    """Send a draft. `stands`: it was said on which paper the consent stands that it waited for."""

    stands: bool = False


class Acknowledge(ByPerson):
    """签收"""


class Act(ByPerson):
    """处置"""


class Return(ByPerson):
    """退回"""

    reason: str | None = None


class Extend(ByPerson):
    """申请延期: at most five working days, once, before it is due. Without `until`: the whole five.

    The sender decides; asked for by the sender itself, it is granted at once.
    """

    reason: str | None = None
    until: datetime | None = None


class Approve(ByPerson):
    """同意延期, by the sender."""


class Decline(ByPerson):
    """不同意延期, by the sender."""


class SendOn(ByPerson):
    """转交: what was returned goes to another unit of its rule; the coordinating bureau decides among all."""

    to: str | None = None
    to_division: str | None = None


class Answer(ByPerson):
    """反馈: `told` says whether words of feedback were given; they stay outside events and state.

    results: the coded feedback that the rule expects, by name; owed by an answer that helped.
    """

    outcome: str | None = None
    told: bool = False
    results: dict[str, Any] = Field(default_factory=dict)


class Verify(ByPerson):
    """The sender has seen that the answer holds."""


class Close(ByPerson):
    """办结"""


class Reopen(ByPerson):
    reason: str | None = None


class Revoke(ByPerson):
    reason: str | None = None


COMMANDS: tuple[type[Command], ...] = (
    OpenReferral,
    InformReferral,
    Release,
    Divert,
    TakeOver,
    NoteHandedOn,
    NoteDue,
    Send,
    Acknowledge,
    Act,
    Return,
    SendOn,
    Extend,
    Approve,
    Decline,
    Answer,
    Verify,
    Close,
    Reopen,
    Revoke,
)

FOLLOWS: Mapping[type[Command], frozenset[State]] = {
    Send: frozenset({"drafted"}),
    Acknowledge: frozenset({"sent", "reopened"}),
    Act: frozenset({"acknowledged", "extended", "reopened"}),
    Return: frozenset({"sent", "acknowledged", "reopened"}),
    SendOn: frozenset({"returned", "sent", "acknowledged", "acted", "reopened"}),
    Extend: frozenset({"acknowledged", "acted", "reopened"}),
    Approve: frozenset({"acknowledged", "acted", "reopened"}),
    Decline: frozenset({"acknowledged", "acted", "reopened"}),
    Answer: frozenset({"acknowledged", "acted", "extended", "reopened"}),
    Verify: frozenset({"answered"}),
    Close: frozenset({"verified", "returned"}),
    Reopen: frozenset({"answered", "verified", "closed", "returned"}),
    Revoke: frozenset({"drafted", "sent", "acknowledged", "acted", "returned", "extended", "reopened"}),
}
"""In which states a command may be given. A held referral also takes acknowledge, act and answer."""

HELD_TAKES: frozenset[type[Command]] = frozenset({Acknowledge, Act, Answer})
RECEIVERS: frozenset[type[Command]] = frozenset({Acknowledge, Act, Return, Extend, Answer})
NAMES: Mapping[type[ByPerson], str] = {
    Send: "send",
    Acknowledge: "acknowledge",
    Act: "act",
    Answer: "answer",
    Extend: "extend",
    Return: "return",
    Approve: "approve",
    Decline: "decline",
    SendOn: "send_on",
    Verify: "verify",
    Close: "close",
    Reopen: "reopen",
    Revoke: "revoke",
}
"""The verbs as pages name them, the next step first."""
VERBS: Mapping[type[Command], tuple[str, str]] = {
    Send: ("sent", "发送"),
    Acknowledge: ("acknowledged", "签收"),
    Act: ("acted upon", "处置"),
    Return: ("returned", "退回"),
    SendOn: ("sent on", "转交"),
    Extend: ("extended", "延期"),
    Approve: ("given more time", "同意延期"),
    Decline: ("refused more time", "不同意延期"),
    Answer: ("answered", "反馈"),
    Verify: ("verified", "核实"),
    Close: ("closed", "办结"),
    Reopen: ("reopened", "重新办理"),
    Revoke: ("revoked", "撤回"),
}
STATES_ZH: Mapping[State, str] = {
    "drafted": "待发送",
    "sent": "已发送",
    "acknowledged": "已签收",
    "acted": "已处置",
    "returned": "已退回",
    "extended": "已延期",
    "answered": "已反馈",
    "verified": "已核实",
    "closed": "已办结",
    "reopened": "重新办理",
    "revoked": "已撤回",
}


class ReferralOpened(Event):
    """It exists, with all that it carries. Concerns nobody outside until it is sent."""

    type = "referral.opened"

    referral_id: UUID
    chain_id: UUID
    application_id: UUID
    wanted: Wanted

    def classification(self) -> Classification:
        return Kept(child=self.wanted.child, sealed=self.wanted.sealed).classification()


class KeptHere(Kept):
    """An event of a referral that concerns nobody outside."""

    referral_id: UUID
    chain_id: UUID


class ReferralCameBack(KeptHere):
    """Its receiver has returned it, with all that it carries."""

    type = "referral.came_back"

    application_id: UUID
    wanted: Wanted
    at: datetime


class ReferralSentOn(ReferralCameBack):
    """It goes to another unit, as the sender or the coordinating bureau (`wanted.settled`) has decided.

    diverted: not by anybody's decision, but because a suspected unit had it.
    """

    type = "referral.sent_on"

    diverted: bool = False


class ReferralHandedOn(KeptHere):
    """Another one stands in its place. `held`: it stays with its first receiver until that one is taken."""

    type = "referral.handed_on"

    held: bool


class ReferralTookOver(KeptHere):
    """Acknowledged in place of another receiver, whose referral this relieves."""

    type = "referral.took_over"

    relieved: UUID


class ReferralTakenOver(KeptHere):
    """The next receiver has acknowledged; nothing is expected of this one any more."""

    type = "referral.taken_over"


class ReferralBarred(KeptHere):
    """Its receiver gets it no more."""

    type = "referral.barred"


class ReferralDueNoted(KeptHere):
    """It is due at another moment, since its clock stood still."""

    type = "referral.due_noted"

    due_finish: datetime


INTERNAL: tuple[type[Event], ...] = (
    ReferralOpened,
    ReferralCameBack,
    ReferralSentOn,
    ReferralHandedOn,
    ReferralTookOver,
    ReferralTakenOver,
    ReferralBarred,
    ReferralDueNoted,
)

Decided = Sequence[Event] | Refusal


def decide(referral: Referral, command: Command, context: Context) -> Decided:
    """The events of a command, or why not."""
    match command:
        case OpenReferral():
            return _open(referral, command)
        case InformReferral():
            return _inform(referral, command)
        case Release():
            return _release(referral, command)
        case Divert():
            return _divert(referral, command, context)
        case TakeOver():
            if referral.state == "revoked":
                # Taken from its receiver meanwhile: who was before them waits for the same one.
                return _took_over(referral)
            if not referral.waits_for_next:
                return ()
            # Whoever it stood in for is relieved with it, if nobody has acknowledged in between.
            return (ReferralTakenOver(**_kept(referral)), *_took_over(referral))
        case NoteHandedOn():
            if referral.handed_on:
                return ()
            return (ReferralHandedOn(**_kept(referral), held=referral.held),)
        case NoteDue():
            return (ReferralDueNoted(**_kept(referral), due_finish=command.due_finish),)
        case ByPerson():
            return _refused(referral, command, context) or _by_person(referral, command, context)
    raise TypeError(type(command).__name__)


def _open(referral: Referral, command: OpenReferral) -> Decided:
    known = referral.wanted
    if known is None:
        return _opened(command, command.wanted)
    wanted = command.wanted.joined(known)
    raised = RANK[wanted.urgency] > RANK[known.urgency]
    if (wanted.dated and wanted.sent_at > known.sent_at) or (raised and referral.state != "revoked"):
        drafted = wanted.drafted if referral.state in ("drafted", "revoked") else None
        again: Again = "urgency_raised" if raised else "told_again"
        return _opened(command, wanted.model_copy(update={"drafted": drafted}), again)
    if referral.state == "drafted" and wanted.drafted is None:
        return _opened(command, wanted.model_copy(update={"urgency": known.urgency}))
    return ()


Again = Literal["urgency_raised", "told_again"]


def _opened(command: OpenReferral, wanted: Wanted, again: Again | None = None) -> Sequence[Event]:
    opened = ReferralOpened(
        referral_id=command.target,
        chain_id=command.chain_id,
        application_id=command.application_id,
        wanted=wanted,
    )
    referral = evolve(Referral(), opened)
    if wanted.drafted is not None:
        return (opened, ReferralDrafted(**identity(referral), reason=wanted.drafted))
    return (opened, _sent(referral, wanted.sent_at, again))


def _inform(referral: Referral, command: InformReferral) -> Sequence[Event]:
    """What is over takes up no more facts, but has to be kept as closely as what is known asks for."""
    known = referral.wanted
    assert known is not None
    joined = known.joined(command.wanted)
    if referral.state in ("closed", "revoked"):
        joined = known.model_copy(update={"child": joined.child, "sealed": joined.sealed})
    if joined == known:
        return ()
    informed = referral.model_copy(update={"wanted": joined})
    opened = ReferralOpened(
        referral_id=command.target,
        chain_id=referral.chain_id,
        application_id=referral.application_id,
        wanted=joined,
    )
    if referral.state == "drafted":
        return (opened,)
    said = {"subjects": joined.subjects, "facts": joined.facts}
    return (opened, ReferralSupplemented(**identity(informed), **said))


def _sent(referral: Referral, at: datetime, again: Again | None = None) -> ReferralSent:
    wanted = referral.wanted
    assert wanted is not None
    limits = duties.limits(wanted.urgency, wanted.to, at)
    ends = {duty: duties.due_at(at, limit) for duty, limit in limits.items()}
    return ReferralSent(
        **identity(referral),
        sent_at=at,
        due_ack=ends["ack"],
        due_action=ends.get("action"),
        due_finish=ends["finish"],
        ground=wanted.ground,
        subjects=wanted.subjects,
        facts=wanted.facts,
        late_entry=wanted.late_entry,
        again=again,
        replaces=wanted.replaces,
        settled=wanted.settled,
    )


def _release(referral: Referral, command: Release) -> Decided:
    if referral.state not in FOLLOWS[Revoke] or referral.protection:
        return ()
    return (ReferralRevoked(**identity(referral), reason=command.reason, revoked_at=command.at),)


def _divert(referral: Referral, command: Divert, context: Context) -> Sequence[Event]:
    """Its clocks go on from when it was first asked for. What is answered is over and not reopened there, and
    in place of what was handed on another one stands already.
    """
    wanted = referral.wanted
    if wanted is None or referral.state == "revoked":
        return ()
    if referral.state not in FOLLOWS[Revoke]:
        return () if referral.barred else (ReferralBarred(**_kept(referral)),)
    revoked = ReferralRevoked(**identity(referral), reason=ONE_LEVEL_UP, revoked_at=context.now)
    if referral.handed_on:
        return (revoked,)
    moved = {"to": command.to, "to_division": command.to_division, "dated": False}
    onward = {"wanted": wanted.model_copy(update=moved), "at": context.now, "diverted": True}
    return (revoked, ReferralSentOn(**_whole(referral), **onward))


def _refused(referral: Referral, command: ByPerson, context: Context) -> Refusal | None:
    kind = type(command)
    if referral.state is None:
        return Refusal("referral.unknown", "There is no such referral.", "没有这条转介。")
    if refusal := _wrong_side(referral, command, context):
        return refusal
    if referral.state in FOLLOWS[kind] or (referral.held and kind in HELD_TAKES):
        return _not_yet(referral, command, context)
    verb, verb_zh = VERBS[kind]
    ended = kind in RECEIVERS and referral.state in ("verified", "closed")
    then, then_zh = (
        ("ask the sender to reopen it", "如需补充，请联系转出方重新办理")
        if ended
        else ("read it again to see what happened", "请刷新查看最新状态")
    )
    return Refusal(
        "referral.state",
        f"A referral whose state is {referral.state} cannot be {verb}; {then}.",
        f"该转介{STATES_ZH[referral.state]}，不能{verb_zh}；{then_zh}。",
        of="state",
    )


def _wrong_side(referral: Referral, command: ByPerson, context: Context) -> Refusal | None:
    """Receivers answer, senders verify; whoever records for another unit says for whom."""
    actor, wanted = context.actor, referral.wanted
    assert wanted is not None
    if actor.role in ("system", "everything"):
        return None
    mine = _is_receiver(referral, context)
    if type(command) in RECEIVERS:
        if mine or command.on_behalf:
            return None
        return Refusal(
            "referral.not_addressed",
            "It is addressed to another unit: record on whose behalf, or leave it to that unit.",
            "该转介发给其他单位：请登记代签收信息，或由该单位办理。",
        )
    if isinstance(command, SendOn) and referral.wanted and referral.wanted.settled:
        return None if mine else _NOT_THE_BUREAU
    if mine and actor.department != wanted.from_:
        return Refusal(
            "referral.own_answer",
            "The unit that answers does not judge its own answer: the sender does.",
            "反馈单位不能核实本单位的反馈，应由转出方办理。",
        )
    return None


_NOT_THE_BUREAU = Refusal(
    "referral.bureau",
    "The coordinating bureau decides whose it is.",
    "该事项由统筹部门裁定承办单位。",
)


def _is_receiver(referral: Referral, context: Context) -> bool:
    """Whether it is addressed to the actor's department, and to its division where it has one."""
    actor, wanted = context.actor, referral.wanted
    assert wanted is not None
    here = actor.division in (None, wanted.to_division) or wanted.to_division is None
    return actor.department == wanted.to and here


def _is_sender(referral: Referral, context: Context) -> bool:
    actor, wanted = context.actor, referral.wanted
    assert wanted is not None
    return actor.role in ("system", "everything") or actor.department == wanted.from_


def _not_yet(referral: Referral, command: ByPerson, context: Context) -> Refusal | None:
    match command:
        case Send() if not command.stands:
            return Refusal(
                "referral.stands",
                "Say in the note on which paper the consent or authorisation stands, and of which day it is.",
                "请在备注中写明书面同意（授权）的文书名称和日期。",
                "note",
            )
        case Return() | SendOn() if refusal := _not_returnable(referral, command, context):
            return refusal
        case Approve() | Decline() if referral.extension is None:
            return Refusal(
                "referral.no_extension",
                "Nobody has asked for more time, or it is decided already.",
                "没有待审批的延期申请。",
            )
        case Reopen() if referral.handed_on:
            return _HANDED_ON
        case Reopen() if referral.barred:
            return Refusal(
                "referral.barred",
                "It goes on at another unit: ask for it anew, and it goes to whoever sees to it now.",
                "该事项不再由原单位办理，请重新发起转介，由现承办单位办理。",
            )
        case Act() | Answer() if not referral.acknowledged:
            return Refusal(
                "referral.not_acknowledged",
                "Acknowledge it first, then act or answer.",
                "请先签收，再处置或反馈。",
            )
        case Act() if referral.acted:
            return Refusal(
                "referral.acted", "The action is recorded already; answer it.", "已登记处置，请反馈结果。"
            )
        case Close() if referral.held:
            return Refusal(
                "referral.held",
                "Its first receiver stays responsible until the next one acknowledges: send it on first.",
                "首接负责：下一单位签收前仍由首接单位负责，请先转交。",
            )
        case Revoke() if referral.protection:
            return Refusal(
                "referral.protection",
                "A protection duty stands whatever anyone signs; this referral is not revoked.",
                "保护职责不因撤回而终止，该转介不能撤回。",
            )
    return None


_HANDED_ON = Refusal(
    "referral.handed_on",
    "Another referral stands in its place: go on there.",
    "该事项已转交其他单位，请在新的转介中办理。",
)


def _not_returnable(referral: Referral, command: Return | SendOn, context: Context) -> Refusal | None:
    wanted = referral.wanted
    assert wanted is not None
    assert referral.since is not None
    if isinstance(command, SendOn):
        if referral.handed_on:
            return _HANDED_ON
        if referral.state != "returned" and not (wanted.settled and wanted.to == directory().bureau):
            return Refusal(
                "referral.not_returned",
                "Its receiver has it: it is sent on once it was returned.",
                "该转介尚在承办单位办理，退回后方可转交。",
            )
        return _no_such_receiver(wanted, command)
    if referral.handed_on:
        return _HANDED_ON
    if wanted.rule == duties.MANUAL:
        return Refusal(
            "referral.manual",
            "No rule names anybody else, so it stays yours: ask those who are to help, and answer.",
            "没有规则指向其他单位，由本单位负责：请联系应办理的单位，并反馈结果。",
        )
    if wanted.settled:
        return Refusal(
            "referral.settled",
            "The coordinating bureau has decided that it is yours; it is not returned: answer it.",
            "该事项已由统筹部门裁定由本单位办理，不得退回，请办理并反馈。",
        )
    if context.now > duties.due_at(referral.since, RETURN_WITHIN):
        return Refusal(
            "referral.return_late",
            "A wrong unit returns it within one working day; it is yours now: answer it, or ask the sender.",
            "误转应在1个工作日内退回，现已逾期，由本单位负责：请办理并反馈，或与转出方协商。",
        )
    return None


def _no_such_receiver(wanted: Wanted, command: SendOn) -> Refusal | None:
    allowed = receivers(wanted)
    if command.to not in allowed:
        codes = ", ".join(sorted(allowed))
        return Refusal("referral.to", f"to must be one of: {codes}.", f"to 应为下列之一：{codes}。", "to")
    if (command.to, command.to_division) == (wanted.to, wanted.to_division):
        return Refusal(
            "referral.same_unit",
            "That unit has returned it: name another department, or another division of it.",
            "该单位已退回，请选择其他部门或其他区划的单位。",
            "to_division",
        )
    return None


def possible(referral: Referral, context: Context, on_behalf: bool = False) -> list[type[ByPerson]]:
    """The verbs that would not be refused now, if all that they ask for is given; the next step first."""
    found = []
    for kind in NAMES:
        whole: dict[str, Any] = {"stands": True} if kind is Send else {}
        if kind is SendOn and referral.wanted is not None:
            whole = {"to": min(receivers(referral.wanted)), "to_division": "-"}
        refusal = _refused(referral, kind(target=referral.referral_id, on_behalf=on_behalf, **whole), context)
        if refusal is None and kind is Extend:
            refusal = _not_extendable(referral, context.now)
        if refusal is None:
            found.append(kind)
    return found


def receivers(wanted: Wanted) -> frozenset[str]:
    """To whom it may be sent on: those of its rule and the bureau; the bureau itself decides among all units.

    A charity only gets what a consent lets it have.
    """
    known = directory()
    row = RULES.get(wanted.rule)
    own = row.to if row is not None else frozenset()
    if wanted.settled and wanted.to == known.bureau:
        everyone = frozenset(to for each in known.referrals for to in each.to)
        return (everyone | own) - (known.charities - own)
    return own | {known.bureau}


def _by_person(referral: Referral, command: ByPerson, context: Context) -> Decided:
    base, behalf = identity(referral), {"on_behalf": command.on_behalf}
    match command:
        case Send():
            return (_sent(referral, context.now),)
        case Acknowledge():
            return (ReferralAcknowledged(**base, **behalf), *_took_over(referral))
        case Act():
            return (ReferralActed(**base, **behalf),)
        case Return():
            return _return(referral, command, context)
        case SendOn():
            return _send_on(referral, command, context)
        case Extend():
            return _extend(referral, command, context)
        case Approve():
            return _approve(referral, context)
        case Decline():
            return (ReferralExtensionDeclined(**base),)
        case Answer():
            return _answer(referral, command)
        case Verify():
            return (ReferralVerified(**base),)
        case Close():
            return (ReferralClosed(**base),)
        case Reopen():
            return _reopen(referral, command, context)
        case Revoke():
            return _revoke(referral, command, context)
    raise TypeError(type(command).__name__)


def _return(referral: Referral, command: Return, context: Context) -> Decided:
    reason = _coded(command.reason, RETURN_REASONS)
    if isinstance(reason, Refusal):
        return reason
    return (
        ReferralReturned(**identity(referral), reason=reason, on_behalf=command.on_behalf),
        ReferralCameBack(**_whole(referral), wanted=referral.wanted, at=context.now),
    )


def _send_on(referral: Referral, command: SendOn, context: Context) -> Decided:
    """From the bureau it goes as decided; a critical one stays there until the next one acknowledges."""
    wanted = referral.wanted
    assert wanted is not None
    back: tuple[Event, ...] = ()
    if referral.state != "returned":
        back = (ReferralReturned(**identity(referral), reason=HANDED_ON, on_behalf=command.on_behalf),)
    onward = {
        "to": command.to,
        "to_division": command.to_division,
        "sent_at": context.now.astimezone(UTC),
        "replaces": referral.referral_id,
        "dated": False,
        "settled": wanted.settled or command.to == directory().bureau,
    }
    sent_on = ReferralSentOn(**_whole(referral), wanted=wanted.model_copy(update=onward), at=context.now)
    return (*back, sent_on)


def _revoke(referral: Referral, command: Revoke, context: Context) -> Decided:
    reason = _coded(command.reason, REVOCATION_REASONS)
    if isinstance(reason, Refusal):
        return reason
    return (ReferralRevoked(**identity(referral), reason=reason, revoked_at=context.now),)


def _took_over(referral: Referral) -> Sequence[Event]:
    relieved = referral.wanted.replaces if referral.wanted else None
    return () if relieved is None else (ReferralTookOver(**_kept(referral), relieved=relieved),)


def _coded(reason: str | None, allowed: tuple[str, ...]) -> str | Refusal:
    if reason in allowed:
        return reason
    codes = ", ".join(allowed)
    return Refusal(
        "referral.reason",
        f"Give the reason as one of: {codes}.",
        f"请填写原因（取值：{codes}）。",
        "reason",
    )


def _extend(referral: Referral, command: Extend, context: Context) -> Decided:
    refusal = _not_extendable(referral, context.now)
    reason = _coded(command.reason, EXTENSION_REASONS)
    until = _extended_until(referral, command.until)
    for outcome in (refusal, reason, until):
        if isinstance(outcome, Refusal):
            return outcome
    if _is_sender(referral, context):
        return (ReferralExtended(**identity(referral), reason=reason, due_finish=until),)
    return (ReferralExtensionAsked(**identity(referral), reason=reason, until=until),)


def _approve(referral: Referral, context: Context) -> Decided:
    """Before it is due, like the asking: what is late by then stays late."""
    asked = referral.extension
    assert asked is not None
    assert referral.due_finish is not None
    if context.now >= referral.due_finish:
        return _OVERDUE
    return (ReferralExtended(**identity(referral), reason=asked.reason, due_finish=asked.until),)


_OVERDUE = Refusal(
    "referral.overdue",
    "It is overdue; an extension is asked for and granted before the due day has ended.",
    "已超期；延期须在时限届满前申请并批准。",
)


def _not_extendable(referral: Referral, now: datetime) -> Refusal | None:
    assert referral.due_finish is not None
    if referral.critical:
        return Refusal(
            "referral.critical",
            "A critical referral is never extended: act, and answer within its 24 hours.",
            "特急转介不得延期：请立即处置并在24小时内反馈。",
        )
    if referral.extended:
        return Refusal(
            "referral.extended",
            "It was extended once; there is no second time.",
            "已延期一次，不能再次延期。",
        )
    if referral.extension is not None:
        return Refusal(
            "referral.extension_asked",
            "More time was asked for already; the sender has not decided yet.",
            "已申请延期，等待转出方审批。",
        )
    return replace(_OVERDUE, field="until") if now >= referral.due_finish else None


def _extended_until(referral: Referral, until: datetime | None) -> datetime | Refusal:
    """The new due moment: the end of the last working day up to `until`'s day."""
    assert referral.due_finish is not None
    last = local(referral.due_finish - timedelta(microseconds=1))
    days = (
        LONGEST_EXTENSION.amount
        if until is None
        else _working_days(last, local(until - timedelta(microseconds=1)))
    )
    if not 1 <= days <= LONGEST_EXTENSION.amount:
        return Refusal(
            "referral.until",
            "Name a day one to five working days after the present due day.",
            "延期日期应在原时限之后一至五个工作日内。",
            "until",
        )
    return duties.due_at(last, Limit(days, Unit.WORKING_DAYS))


def _working_days(after: datetime, upto: datetime) -> int:
    first, last = after.toordinal(), upto.toordinal()
    return in_force().calendar.count_working(first, last) if last > first else 0


def _answer(referral: Referral, command: Answer) -> Decided:
    if not command.told:
        return Refusal(
            "referral.feedback",
            "Say in the feedback what was found and done.",
            "请填写反馈内容：查明了什么、做了什么。",
            "feedback",
        )
    if command.outcome not in OUTCOMES:
        codes = ", ".join(OUTCOMES)
        return Refusal(
            "referral.outcome", f"Give the outcome as one of: {codes}.", f"结果取值：{codes}。", "outcome"
        )
    wanted = referral.wanted
    assert wanted is not None
    assert referral.sent_at is not None
    day = local(referral.sent_at).date()
    if refusal := check_feedback(wanted.rule, command.outcome, command.results, day):
        return refusal
    said = {"outcome": command.outcome, "results": command.results, "on_behalf": command.on_behalf}
    return (ReferralAnswered(**identity(referral), **said),)


def _reopen(referral: Referral, command: Reopen, context: Context) -> Decided:
    reason = _coded(command.reason, REOPENING_REASONS)
    if isinstance(reason, Refusal):
        return reason
    assert referral.wanted is not None
    limit = duties.limits(referral.wanted.urgency, referral.wanted.to, context.now)["finish"]
    finish = duties.due_at(context.now, limit)
    again = {"reason": reason, "due_finish": finish, "reopened_at": context.now}
    return (ReferralReopened(**identity(referral), **again),)


def identity(referral: Referral) -> dict[str, Any]:
    """What every event of this referral says."""
    wanted = referral.wanted
    assert wanted is not None
    shared = {"case_id", "rule", "from_", "to", "to_division", "urgency", "child", "sealed"}
    return {
        "referral_id": referral.referral_id,
        "chain_id": referral.chain_id,
        "application_id": referral.application_id,
        **{name: getattr(wanted, name) for name in shared},
    }


def _kept(referral: Referral) -> dict[str, Any]:
    names = ("referral_id", "chain_id", "child", "sealed")
    return {name: value for name, value in identity(referral).items() if name in names}


def _whole(referral: Referral) -> dict[str, Any]:
    return _kept(referral) | {"application_id": referral.application_id}


def evolve(referral: Referral, event: Event) -> Referral:
    """The state after the event."""
    return referral.model_copy(update=dict(_changes(referral, event)))


def _changes(referral: Referral, event: Event) -> Mapping[str, Any]:
    match event:
        case ReferralOpened():
            names = ("referral_id", "chain_id", "application_id", "wanted")
            return {name: getattr(event, name) for name in names}
        case ReferralDrafted():
            return {"state": "drafted"}
        case ReferralSent():
            names = ("sent_at", "due_ack", "due_action", "due_finish")
            flags = ("acknowledged", "acted", "extended", "handed_on", "released")
            fresh: dict[str, Any] = dict.fromkeys(flags, False) | {"extension": None, "since": event.sent_at}
            return {name: getattr(event, name) for name in names} | fresh | {"state": "sent"}
        case ReferralAcknowledged():
            return {"state": "acknowledged", "acknowledged": True}
        case ReferralActed():
            return {"state": "acted", "acted": True}
        case ReferralReturned():
            # A critical one that was acknowledged stays so: its first receiver goes on.
            taken = referral.acknowledged and referral.critical
            return {"state": "returned", "acknowledged": taken, "extension": None}
        case ReferralHandedOn():
            return {"handed_on": True}
        case ReferralExtensionAsked():
            return {"extension": AskedExtension(reason=event.reason, until=event.until)}
        case ReferralExtensionDeclined():
            return {"extension": None}
        case ReferralTakenOver():
            return {"state": "returned", "released": True, "acknowledged": False}
        case ReferralExtended():
            longer = {"extended": True, "extension": None, "due_finish": event.due_finish}
            return {"state": "extended"} | longer
        case ReferralBarred():
            return {"barred": True}
        case ReferralDueNoted():
            return {"due_finish": event.due_finish}
        case ReferralAnswered():
            return {"state": "answered", "extension": None}
        case ReferralVerified():
            return {"state": "verified"}
        case ReferralClosed():
            return {"state": "closed"}
        case ReferralReopened():
            again = {"due_finish": event.due_finish, "acted": False, "released": False}
            return {"state": "reopened", "since": event.reopened_at} | again
        case ReferralRevoked():
            return {"state": "revoked"}
    return {}


REFERRAL: Decider[Referral] = Decider(
    name="referral",
    state=Referral,
    initial=Referral,
    decide=decide,
    evolve=evolve,
    commands=COMMANDS,
    internal=INTERNAL,
)
