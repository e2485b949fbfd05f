"""Events of a protection case at child welfare: the moments that the law counts from or to.

The steps themselves, their grounds and placements stay in child welfare.
"""

from pydantic import AwareDatetime

from onedoor.contracts.events.case import CHILD_WELFARE, CaseEvent


class ProtectionEvent(CaseEvent):
    """`at` is business time."""

    topics = (CHILD_WELFARE,)

    at: AwareDatetime


class CareTaken(ProtectionEvent):
    """Temporary guardianship began on the day of `since`; after_harm: the guardian did the harm (L28)."""

    type = "protection.care_taken"

    since: AwareDatetime
    after_harm: bool


class ReturnedHome(ProtectionEvent):
    """The plan is the way home; vagrant: the child had lived on the street and is visited there (L23)."""

    type = "protection.returned_home"

    vagrant: bool


class FollowedUp(ProtectionEvent):
    """Somebody went to see how the child is."""

    type = "protection.followed_up"
