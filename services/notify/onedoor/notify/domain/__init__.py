"""What notify decides: the ledger of an application, its referrals, the clocks that watch them, the calls."""

from onedoor.notify.domain.clock import CLOCK
from onedoor.notify.domain.ledger import LEDGER
from onedoor.notify.domain.referral import REFERRAL
from onedoor.notify.domain.ring import RING

DECIDERS = (LEDGER, REFERRAL, CLOCK, RING)
