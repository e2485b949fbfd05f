"""What intake is told from outside."""

from onedoor.runtime.settings import Settings as ServiceSettings


class Settings(ServiceSettings):
    """Intake's settings.

    body_limit: bytes of a request for help at most.
    """

    port: int = 8101
    body_limit: int = 1_000_000
