"""Who may do what: one table of role and action, decided purely (design section 8).

An action that the table does not name for a role is barred. A grant says how far it reaches: whose rows
(own department, own division) of which classifications. Rows out of reach look as if they did not exist.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import get_args

from onedoor.contracts.core import Actor, Classification
from onedoor.runtime.roles import HOME, ROLES
from onedoor.runtime.tokens import dev_token

__all__ = ["ACTIONS", "HOME", "NOTHING", "ROLES", "Grant", "clearance", "dev_token", "may", "reach"]

ALL: frozenset[Classification] = frozenset(get_args(Classification))
CASEWORK: frozenset[Classification] = ALL - {"child"}
OPEN: frozenset[Classification] = frozenset({"public", "internal"})

ACTIONS: tuple[str, ...] = (
    "application.enter",
    "application.read",
    "application.supplement",
    "application.withdraw",
    "reporter.reveal",
    "person.read",
    "case.read",
    "case.work",
    "case.decide",
    "registry.read",
    "registry.work",
    "registry.manage",
    "payment.read",
    "payment.list",
    "payment.build",
    "payment.approve",
    "referral.read",
    "referral.identity",
    "referral.handle",
    "referral.behalf",
    "referral.verify",
    "clock.read",
    "clock.pause",
    "notice.read",
    "notice.handle",
    "delivery.read",
    "roster.read",
    "ring.handle",
    "chain.read",
    "figures.read",
    "figures.simulate",
    "stream.read",
    "letters.read",
    "letters.handle",
    "audit.read",
    "admin.manage",
    "import",
    "everything",
)


@dataclass(frozen=True, slots=True)
class Grant:
    """How far an allowed action reaches.

    own_department, own_division: only rows of the actor's own; classifications: only rows of these;
    receipt_only: of an application or chain only receipt, state and whom to ring may be shown.
    """

    own_department: bool = False
    own_division: bool = False
    classifications: frozenset[Classification] = frozenset()
    receipt_only: bool = False

    def covers(
        self,
        actor: Actor,
        *,
        classification: Classification,
        department: str | None = None,
        division: str | None = None,
    ) -> bool:
        """Whether a row with this classification, department and division is within the actor's reach."""
        return (
            classification in self.classifications
            and (not self.own_department or (department is not None and department == actor.department))
            and (not self.own_division or (division is not None and division == actor.division))
        )


NOTHING = Grant()


def _anyone(classes: frozenset[Classification]) -> Grant:
    return Grant(classifications=classes)


def _department(classes: frozenset[Classification]) -> Grant:
    return Grant(own_department=True, classifications=classes)


def _division(classes: frozenset[Classification]) -> Grant:
    return Grant(own_division=True, classifications=classes)


def _unit(classes: frozenset[Classification]) -> Grant:
    return Grant(own_department=True, own_division=True, classifications=classes)


def _each(actions: str, grant: Grant) -> dict[str, Grant]:
    return dict.fromkeys(actions.split(), grant)


def _notices(classes: frozenset[Classification]) -> dict[str, Grant]:
    """Notices name nobody and are no files; to whom each was addressed is the row's own policy."""
    return _each("notice.read notice.handle", _anyone(classes))


_ADDRESSED = {
    **_each("referral.read referral.identity referral.handle clock.read roster.read", _unit(ALL)),
    **_notices(ALL),
}
_ASSISTANCE = "application.read person.read case.read referral.read clock.read chain.read"

_TABLE: Mapping[str, Mapping[str, Grant]] = {
    "hotline": {
        **_each("application.enter", _anyone(ALL)),
        **_each("application.supplement application.withdraw", _department(ALL)),
        **_each("application.read chain.read", replace(_department(ALL), receipt_only=True)),
        **_each("ring.handle", _anyone(ALL)),
        **_notices(ALL),
    },
    "window": {
        **_each("application.enter", _anyone(ALL)),
        **_each(
            "application.read application.supplement application.withdraw person.read chain.read "
            "referral.behalf",
            _division(CASEWORK),
        ),
        **_ADDRESSED,
    },
    "village": {
        **_each("application.enter", _anyone(ALL)),
        **_each("application.read application.supplement", _division(CASEWORK)),
        **_ADDRESSED,
    },
    "caseworker": {
        **_each(
            f"{_ASSISTANCE} case.work registry.read registry.work payment.read referral.verify",
            _division(CASEWORK),
        ),
        **_notices(CASEWORK),
    },
    "reviewer": {
        **_each(
            f"{_ASSISTANCE} case.work case.decide registry.read registry.work payment.read referral.verify "
            "clock.pause",
            _division(CASEWORK),
        ),
        **_notices(CASEWORK),
    },
    "district": {
        **_each(
            f"{_ASSISTANCE} case.work case.decide referral.handle referral.behalf referral.verify "
            "clock.pause figures.read figures.simulate registry.read registry.work registry.manage "
            "payment.read payment.list "
            "payment.build payment.approve",
            _anyone(CASEWORK),
        ),
        **_each("delivery.read roster.read", _anyone(OPEN)),
        **_notices(CASEWORK),
    },
    "finance": _each(
        "case.read person.read clock.read payment.read payment.list payment.build payment.approve",
        _anyone(CASEWORK),
    ),
    "department": _ADDRESSED,
    "unit-head": {**_ADDRESSED, "clock.pause": _unit(ALL)},
    "child-worker": {
        **_each("application.enter", _anyone(ALL)),
        **_each(
            "application.read application.supplement person.read case.read case.work chain.read "
            "referral.verify referral.behalf clock.read",
            _division(ALL),
        ),
        **_each("referral.read referral.identity referral.handle", _unit(ALL)),
        **_notices(ALL),
    },
    "child-duty": _each(
        "application.enter application.read application.supplement reporter.reveal person.read case.read "
        "case.work case.decide chain.read referral.read referral.identity referral.handle referral.behalf "
        "referral.verify clock.read clock.pause notice.read notice.handle ring.handle",
        _anyone(ALL),
    ),
    "station": {
        **_notices(CASEWORK),
        **_each("case.read case.work person.read", _department(CASEWORK)),
        **_each("referral.read referral.identity referral.handle clock.read", _department(CASEWORK)),
    },
    "charity": {
        **_each("case.read case.work referral.read referral.handle clock.read", _department(OPEN)),
        **_notices(OPEN),
    },
    "social-worker": {
        **_each("case.read case.work referral.read referral.handle clock.read", _department(CASEWORK)),
        **_notices(CASEWORK),
    },
    "leader": {**_each("figures.read figures.simulate", _anyone(OPEN)), **_notices(OPEN)},
    "ops": {
        **_each("delivery.read roster.read", _anyone(OPEN)),
        **_notices(OPEN),
        **_each("stream.read", _anyone(OPEN)),
        **_each("letters.read letters.handle", _anyone(ALL)),
    },
    "auditor": _each("audit.read", _anyone(OPEN)),
    "admin": {**_each("admin.manage", NOTHING), **_each("delivery.read roster.read", _anyone(OPEN))},
    "everything": dict.fromkeys(ACTIONS, _anyone(ALL)),
    "system": dict.fromkeys(ACTIONS, _anyone(ALL)),
}


def may(actor: Actor, action: str) -> Grant | None:
    """How far the actor may do the action; None: barred.

    A department's person without a division sits in its district office and works for all its divisions.
    Elsewhere a missing department or division reaches nothing that is limited by it.
    """
    grant = _TABLE.get(actor.role, {}).get(action)
    if grant is not None and grant.own_department and grant.own_division and actor.division is None:
        return replace(grant, own_division=False)
    return grant


def reach(actor: Actor) -> Grant:
    """What all grants of the actor's role have in common: the reach where the action is not known."""
    grants = [grant for action in ACTIONS if (grant := may(actor, action)) is not None]
    if not grants:
        return NOTHING
    return Grant(
        own_department=any(grant.own_department for grant in grants),
        own_division=any(grant.own_division for grant in grants),
        classifications=frozenset.intersection(*(grant.classifications for grant in grants)),
        receipt_only=any(grant.receipt_only for grant in grants),
    )


def listed(classifications: Iterable[Classification]) -> str:
    """Classifications as PostgreSQL's setting `onedoor.clearance` takes them."""
    return ",".join(sorted(classifications))


def clearance(actor: Actor) -> str:
    """The classifications that any row-level policy may show the actor, comma between them."""
    return listed(reach(actor).classifications)
