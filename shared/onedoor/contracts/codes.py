"""Closed lists of codes in which requests, events and referrals speak alike."""

from typing import Literal

EmergencyKind = Literal[
    "fire", "traffic", "sudden_illness", "flood", "earthquake", "landslide", "storm", "other_sudden"
]
Tier = Literal["none", "dibao", "tekun", "edge", "rigid"]
SchoolProblem = Literal["dropped_out", "not_enrolled", "attendance_at_risk"]
ParentStatus = Literal["present", "dead", "detention", "prison", "forced_detox", "lost_contact"]
DisabilityType = Literal["visual", "hearing", "speech", "physical", "intellectual", "mental"]
Companion = Literal["verified", "unverified"]
IdProblem = Literal["check_digit", "photo_differs"]
StayOver = Literal["ten_days", "three_months"]
