"""What notify decides: an application's ledger and docket, referrals, clocks, calls, the calendar told."""

from onedoor.notify.domain.clock import CLOCK
from onedoor.notify.domain.docket import DOCKET
from onedoor.notify.domain.ledger import LEDGER
from onedoor.notify.domain.notice import NOTICE
from onedoor.notify.domain.referral import REFERRAL
from onedoor.notify.domain.ring import RING

DECIDERS = (LEDGER, DOCKET, REFERRAL, CLOCK, RING, NOTICE)
