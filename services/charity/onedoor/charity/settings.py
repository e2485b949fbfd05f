"""What the charity service is told from outside."""

from onedoor.runtime import settings


class Settings(settings.Settings):
    """Runtime's settings with this service's port."""

    port: int = 8105
