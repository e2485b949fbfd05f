"""What the policy's rules say of a household's file: checked when it is entered, computed for a decision."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from onedoor.assistance.domain import approval
from onedoor.assistance.domain.proceeding import Assessment, HouseholdFacts, Proceeding
from onedoor.assistance.domain.programmes import WORKFLOWS
from onedoor.contracts.events.assistance import HouseholdKind
from onedoor.policy import (
    Decision,
    Decisions,
    FieldProblem,
    Household,
    HouseholdProblems,
    Member,
    as_file,
    packaged_parameters,
    parse_household,
)
from onedoor.policy.checks import full_years
from onedoor.policy.evidence import freeze, to_bytes
from onedoor.policy.household import read_household
from onedoor.policy.table import content_hash

ADULT, OLD, SEVERE = 18, 60, 2
EARNED = frozenset({"wages", "business", "farming"})
"""Kinds of income of who works."""


@dataclass(frozen=True, slots=True)
class Assessed:
    """One programme's result: for the workflow, with its reasons, and as the bytes that reproduce it."""

    assessment: Assessment
    decision: Decision
    evidence: bytes


def problems_of(raw: object, today: date) -> tuple[FieldProblem, ...]:
    """What of a file cannot stand, field by field."""
    try:
        checked(raw, today)
    except HouseholdProblems as wrong:
        return wrong.problems
    return ()


def checked(raw: object, today: date) -> Household:
    """The household of a file, if every member has a person's id. Raises HouseholdProblems, by field."""
    household = parse_household(raw, today)
    problems = [
        FieldProblem(
            field=f"members.{index}.person",
            problem="is missing",
            problem_zh="缺少人员编号",
            remedy="name the person of the case, or enter the person at intake first",
            remedy_zh="请填写本案人员编号，或先在受理端登记该人员",
        )
        for index, member in enumerate(household.members)
        if member.person is None
    ]
    if problems:
        raise HouseholdProblems(problems)
    return household


def stored(household: Household) -> dict[str, Any]:
    """The file as it is kept: by person ids; names and identity numbers have their own place."""
    return as_file(household, identified=False)


def digest(household: Household) -> str:
    """What tells one file from another."""
    return content_hash(stored(household))


def written(file: Mapping[str, Any]) -> dict[str, Any]:
    """A stored file with its keys in the order in which people write them."""
    return stored(read_household(file))


def facts_of(household: Household) -> HouseholdFacts:
    """What a case remembers of the file: who counts, whose authorisation is needed, who is the head."""
    from onedoor.policy.deciding import counted_members

    counted = counted_members(household)
    people = {member.id: member.person for member in household.members if member.person is not None}
    ages = {member.id: full_years(member.birth, household.as_of) for member in household.members}
    head = next((member.id for member in household.members if member.relation == "head"), None)
    return HouseholdFacts(
        digest=digest(household),
        size=len(counted),
        adults=tuple(people[id_] for id_ in counted if ages[id_] >= ADULT and id_ in people),
        head=people.get(head) if head is not None else None,
        minor=head is not None and ages[head] < ADULT,
        people=people,
        minors=tuple(person for id_, person in people.items() if ages[id_] < ADULT),
        uncounted=tuple(person for id_, person in people.items() if id_ not in counted),
    )


def decided(file: Mapping[str, Any], day: date) -> tuple[Household, Decisions]:
    """All programmes of a file as of the day, with reasons; what contradicts itself was refused at entry."""
    from onedoor.policy.deciding import decide

    household = read_household(file).model_copy(update={"as_of": day})
    return household, decide(household)


def assess(
    file: Mapping[str, Any], proceeding: Proceeding, day: date, uncounted: Sequence[UUID] = ()
) -> Assessed | None:
    """What the rules say of this proceeding's programme as of the day; None: nothing of this person.

    uncounted: who of the file does not count in the household, and so says nothing of its kind.
    """
    household, decisions = decided(file, day)
    member = _member(household, proceeding.person_id)
    found = next(
        (
            each
            for each in decisions.decisions
            if each.programme == proceeding.programme and each.member == member
        ),
        None,
    )
    if found is None:
        return None
    evidence = to_bytes(freeze(household, decisions, packaged_parameters()))
    version = decisions.rule_version
    return Assessed(
        assessment=Assessment(
            programme=found.programme,
            outcome=found.outcome,
            amount_fen=found.amount_fen,
            per=WORKFLOWS[proceeding.programme].per or "month",
            rule_version=f"{version.version}/{version.rules}/{version.parameters}",
            household=digest(read_household(file)),
            evidence=content_hash(evidence.decode()),
            kind=_kind(household, day, uncounted),
        ),
        decision=found,
        evidence=evidence,
    )


def _kind(household: Household, day: date, uncounted: Sequence[UUID]) -> HouseholdKind:
    """By who of its counted members could work, and does."""
    able = [
        member
        for member in household.members
        if member.person not in uncounted and _able_to_work(member, day)
    ]
    if not able:
        return "stable"
    if all(any(income.kind in EARNED for income in member.incomes) for member in able):
        return "unstable"
    return "jobless_urban" if household.region == "urban" else "jobless_rural"


def _able_to_work(member: Member, day: date) -> bool:
    """Of working age, at home and no student, without severe disability or major illness."""
    severe = member.disability is not None and member.disability.level <= SEVERE
    return (
        ADULT <= full_years(member.birth, day) < OLD
        and member.whereabouts.status == "home"
        and member.student == "none"
        and not severe
        and not member.major_illness
    )


def _member(household: Household, person_id: UUID | None) -> str | None:
    if person_id is None:
        return None
    return next((each.id for each in household.members if each.person == person_id), "")


def ceiling_fen(programme: str, facts: HouseholdFacts | None, region: str | None, day: date) -> int | None:
    """The most that a person may enter for the programme; None: no ceiling is known."""
    rule = approval.packaged().ceilings.get(programme)
    entry = packaged_parameters().on(f"dibao_standard.{region or 'urban'}", day)
    if rule is None or entry is None or entry.value is None:
        return None
    people = facts.size if facts is not None and rule.per == "person" else 1
    return int(entry.value) * rule.factor * people


__all__ = [
    "Assessed",
    "HouseholdProblems",
    "assess",
    "ceiling_fen",
    "checked",
    "decided",
    "digest",
    "facts_of",
    "problems_of",
    "stored",
    "written",
]
