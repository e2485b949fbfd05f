"""What the assistance service is told from outside."""

from onedoor.runtime import settings


class Settings(settings.Settings):
    """Runtime's settings with this service's port, and room for another office's list of 20,000 people."""

    port: int = 8102
    body_limit: int = 4 * 1024 * 1024
