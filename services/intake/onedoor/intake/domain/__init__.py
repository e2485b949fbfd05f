"""The pure core of intake: applications, people, what is sealed, receipts."""

from onedoor.intake.domain.application import (
    APPLICATION,
    Application,
    Receive,
    Supplement,
    Withdraw,
    standing,
)
from onedoor.intake.domain.known import Known, KnownSubject, coded, evaluated, merged
from onedoor.intake.domain.person import PERSON, Person, RecordPerson
from onedoor.intake.domain.protection import Part, Parts, split

__all__ = [
    "APPLICATION",
    "PERSON",
    "Application",
    "Known",
    "KnownSubject",
    "Part",
    "Parts",
    "Person",
    "Receive",
    "RecordPerson",
    "Supplement",
    "Withdraw",
    "coded",
    "evaluated",
    "merged",
    "split",
    "standing",
]
