"""What the notify service is told from outside."""

from pydantic import Field

from onedoor.notify.telling.addresses import Network
from onedoor.runtime import settings


class Settings(settings.Settings):
    """Runtime's settings with this service's port. sweep_batch: clocks claimed at once.

    channels: an Apprise address for each way out (email, sms, wecom, dingtalk), with `{address}` where the
    receiver's goes and `{delivery}` for an id that stays the same at each try;
    delivery_timeout: seconds that a receiver has to take a message; webhook_networks: where webhooks may go
    besides the public net, as the intranet's 10.20.0.0/16; desk_url: where messages link to.
    """

    port: int = 8106
    sweep_batch: int = 500
    channels: dict[str, str] = Field(default_factory=dict)
    delivery_timeout: float = 10.0
    webhook_networks: tuple[Network, ...] = ()
    desk_url: str = "http://127.0.0.1:8100"
