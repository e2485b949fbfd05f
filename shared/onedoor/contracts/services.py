"""The specialised services, as the others know them: one entry per service, and nobody else lists them.

intake, notify and desk read all their topics; what a service asks for comes from the department named here.
"""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Specialised:
    """name: as plans and events name it; topic: where its events travel; department: in whose name it asks
    for referrals; asks_at: the department that one may ring about its work.
    """

    name: str
    topic: str
    department: str
    asks_at: str


SPECIALISED: tuple[Specialised, ...] = (
    Specialised("assistance", "assistance.case", "civil-affairs", "township"),
    Specialised("child-welfare", "child-welfare.case", "civil-affairs", "minor-protection-centre"),
    Specialised("vagrancy", "vagrancy.stay", "relief-station", "relief-station"),
    Specialised("charity", "charity.need", "civil-affairs", "charity-federation"),
)

BY_NAME: Mapping[str, Specialised] = {service.name: service for service in SPECIALISED}
TOPICS: tuple[str, ...] = tuple(service.topic for service in SPECIALISED)
