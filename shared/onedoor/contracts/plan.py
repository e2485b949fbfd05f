"""What triage answers: who is concerned, how urgent, by which rule. Applications' events carry it."""

from datetime import date
from typing import Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from onedoor.contracts.core import Urgency


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="ignore", populate_by_name=True)


class PlannedService(_Part):
    name: str
    urgency: Urgency


class PlannedReferral(_Part):
    """One referral per receiver. `drafted`: it may not be sent yet, for the coded reason given.

    asked_at: when it was first asked for; its clocks run from there, whichever plan is read first. A later
    moment than was known asks for it anew (more urgent, or told again after a withdrawal).
    """

    rule: str
    from_: str = Field(alias="from", serialization_alias="from")
    to: str
    to_division: str | None = None
    urgency: Urgency
    due_ack: AwareDatetime
    due_action: AwareDatetime | None = None
    due_finish: AwareDatetime
    ground: str = ""
    drafted: str | None = None
    asked_at: AwareDatetime | None = None


class PlannedDuty(_Part):
    """A statutory limit that already runs: `limit` in the notation of `onedoor due`.

    again: it was started once before, and a withdrawal ended it; this is another clock.
    """

    id: str
    due_on: date
    due_at: AwareDatetime
    started_at: AwareDatetime | None = None
    limit: str = ""
    again: bool = False


class Jurisdiction(_Part):
    code: str | None = None
    name: str | None = None


class Plan(_Part):
    services: tuple[PlannedService, ...] = ()
    referrals: tuple[PlannedReferral, ...] = ()
    duties: tuple[PlannedDuty, ...] = ()
    suggested_programmes: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    duplicates: tuple[str, ...] = ()
    jurisdiction: Jurisdiction | None = None
    manual: Literal["township"] | None = None
    rules_version: str = ""

    @property
    def critical(self) -> bool:
        """Whether anything in it is critical: then it travels on the alarm topic."""
        return any(service.urgency == "critical" for service in self.services) or any(
            referral.urgency == "critical" for referral in self.referrals
        )
