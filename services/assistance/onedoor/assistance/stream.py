"""What assistance does about events of intake and notify."""

from typing import Any

from onedoor.assistance.domain import NAME
from onedoor.contracts.case import OpenCase
from onedoor.contracts.events import intake, notify
from onedoor.contracts.reaction import Application, reaction

READS: tuple[str, ...] = (intake.APPLICATION, intake.ALARM, intake.PERSON, notify.REFERRAL, notify.CALENDAR)


def _open(application: Application, shared: dict[str, Any]) -> OpenCase:
    return OpenCase(
        **shared,
        division=responsible_division(application),
        programmes=application.plan.suggested_programmes,
        subjects=tuple(subject.person_id for subject in application.subjects),
    )


def responsible_division(application: Application) -> str | None:
    """The township that works on it: where it happened in an emergency, else that of the registration.

    Who is registered outside Chongqing is helped where they are.
    """
    registered = application.registered_division
    if application.emergency is None and registered is not None and registered.startswith("50"):
        return registered
    return application.place_division or registered


react = reaction(NAME, _open, receives=frozenset({"verification-centre"}))
"""The verification centre's referrals are this service's checks, be it an application's plan that drafted
them; those to the bureau or a township go to their own lists."""
