"""The roles of design section 8 and where each usually works."""

from collections.abc import Mapping

ROLES: tuple[str, ...] = (
    "hotline",
    "window",
    "village",
    "caseworker",
    "reviewer",
    "district",
    "finance",
    "department",
    "unit-head",
    "child-worker",
    "child-duty",
    "station",
    "charity",
    "social-worker",
    "leader",
    "ops",
    "auditor",
    "admin",
    "everything",
)
"""The roles that can sign in; `everything` in development only. `system` is the services themselves."""

HOME: Mapping[str, str] = {
    "hotline": "hotline-12345",
    "window": "township",
    "village": "village",
    "caseworker": "township",
    "reviewer": "civil-affairs",
    "district": "civil-affairs",
    "finance": "civil-affairs",
    "child-worker": "township",
    "child-duty": "minor-protection-centre",
    "station": "relief-station",
    "charity": "charity-federation",
    "social-worker": "social-work-station",
    "leader": "civil-affairs",
}
"""The department that a role works in where none is named."""
