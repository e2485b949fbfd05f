"""What notify decides: the ledger of an application, its referrals, and the clocks that watch them."""

from onedoor.notify.domain.clock import CLOCK
from onedoor.notify.domain.ledger import LEDGER
from onedoor.notify.domain.referral import REFERRAL

DECIDERS = (LEDGER, REFERRAL, CLOCK)
