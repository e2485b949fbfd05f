"""What a report of harm or violence seals: it travels on its own chain, the household's shows nothing."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from onedoor.contracts.core import Actor, Classification
from onedoor.contracts.plan import Plan
from onedoor.intake.domain.known import PROTECTION_STAGE, Known, KnownSubject

SEALED_FACTS = frozenset({"suspected_harm", "violence"})
SEALED_RULES = frozenset({"R1", "R18"})
SEALED_DUTIES = frozenset({"L26"})
SEALED_FLAGS = frozenset({"hide_address"})
SEES_LINKS = frozenset({"child-duty", "everything", "system"})


@dataclass(frozen=True, slots=True)
class Part:
    """One part of an application: what is known on its chain, and what follows there."""

    known: Known
    plan: Plan

    def reading_class(self, protection: bool) -> Classification:
        """Who may read this part at intake."""
        return reading_class(self.known.minors, self.plan, protection)


@dataclass(frozen=True, slots=True)
class Parts:
    """The household's part and the sealed one; at least one is there."""

    household: Part | None
    protection: Part | None


def is_sealed(known: Known) -> bool:
    """Whether harm or violence is reported, or protection from it was asked for."""
    asked = known.protection_claimed or any(stage.kind == PROTECTION_STAGE for stage in known.stages)
    return asked or any(SEALED_FACTS & subject.facts.keys() for subject in known.subjects)


def sees_links(actor: Actor) -> bool:
    """Whether the actor may know that a protection chain stands beside a household's."""
    return actor.role in SEES_LINKS


def split(known: Known, plan: Plan) -> Parts:
    """Part what is sealed from the rest. Where nothing else would follow, all of it is sealed.

    Child welfare goes with the sealed part where a minor is in danger (R1): one case, not two.
    """
    if not is_sealed(known):
        return Parts(Part(known, plan), None)
    rest = _rest(plan)
    if not (rest.services or rest.referrals or rest.duties):
        return Parts(None, Part(known, plan))
    return Parts(Part(without_sealed(known), rest), Part(known, sealed_plan(plan)))


def without_sealed(known: Known) -> Known:
    """What the household's chain may know."""
    return known.model_copy(
        update={
            "subjects": tuple(map(_plain_subject, known.subjects)),
            "stages": tuple(stage for stage in known.stages if stage.kind != PROTECTION_STAGE),
            "protection_claimed": False,
        }
    )


def reading_class(minors: bool, plan: Plan, protection: bool) -> Classification:
    """Who may read it at intake: child files are those that protection or child welfare deals with.

    A child in a household that asks for income makes no child file: the caseworker must read it.
    """
    cared_for = any(service.name == "child-welfare" for service in plan.services)
    if minors and (protection or cared_for):
        return "child"
    return "restricted" if protection else "internal"


def added(before: Plan, after: Plan, sealed_only: Plan) -> Plan:
    """The sealed plan and whatever follows now that did not follow before: nothing is left without owner."""
    services = {each.name for each in before.services} | {each.name for each in sealed_only.services}
    referrals = {(each.rule, each.to) for each in (*before.referrals, *sealed_only.referrals)}
    duties = {each.id for each in (*before.duties, *sealed_only.duties)}
    return _owned(
        sealed_only.model_copy(
            update={
                "services": (*sealed_only.services, *(s for s in after.services if s.name not in services)),
                "referrals": (
                    *sealed_only.referrals,
                    *(each for each in after.referrals if (each.rule, each.to) not in referrals),
                ),
                "duties": (*sealed_only.duties, *(each for each in after.duties if each.id not in duties)),
            }
        )
    )


def _plain_subject(subject: KnownSubject) -> KnownSubject:
    facts = {name: value for name, value in subject.facts.items() if name not in SEALED_FACTS}
    return subject.model_copy(update={"facts": facts})


def sealed_plan(plan: Plan) -> Plan:
    """What of the plan follows from harm or violence."""
    services = plan.services if _minor_in_danger(plan) else ()
    return _owned(
        plan.model_copy(
            update={
                "services": tuple(each for each in services if each.name == "child-welfare"),
                "referrals": tuple(each for each in plan.referrals if each.rule in SEALED_RULES),
                "duties": tuple(each for each in plan.duties if each.id in SEALED_DUTIES),
                "suggested_programmes": (),
                "duplicates": (),
            }
        )
    )


def _rest(plan: Plan) -> Plan:
    sealed_services = {"child-welfare"} if _minor_in_danger(plan) else set()
    return _owned(
        plan.model_copy(
            update={
                "services": tuple(each for each in plan.services if each.name not in sealed_services),
                "referrals": tuple(each for each in plan.referrals if each.rule not in SEALED_RULES),
                "duties": tuple(each for each in plan.duties if each.id not in SEALED_DUTIES),
                "flags": tuple(_without(plan.flags, SEALED_FLAGS)),
            }
        )
    )


def _minor_in_danger(plan: Plan) -> bool:
    return any(each.rule == "R1" for each in plan.referrals)


def _owned(plan: Plan) -> Plan:
    """Nobody is left without an owner: a plan without service or referral goes to the township's list."""
    manual: Literal["township"] | None = None if plan.services or plan.referrals else "township"
    return plan.model_copy(update={"manual": manual})


def _without(values: Iterable[str], left_out: frozenset[str]) -> Iterable[str]:
    return (value for value in values if value not in left_out)
