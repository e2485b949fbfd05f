"""What the notify service is told from outside."""

from onedoor.runtime import settings


class Settings(settings.Settings):
    """Runtime's settings with this service's port. sweep_batch: clocks claimed at once."""

    port: int = 8106
    sweep_batch: int = 1000
