"""What notify decides: an application's ledger and docket, its referrals, their clocks, the calls."""

from onedoor.notify.domain.clock import CLOCK
from onedoor.notify.domain.docket import DOCKET
from onedoor.notify.domain.ledger import LEDGER
from onedoor.notify.domain.referral import REFERRAL
from onedoor.notify.domain.ring import RING

DECIDERS = (LEDGER, DOCKET, REFERRAL, CLOCK, RING)
