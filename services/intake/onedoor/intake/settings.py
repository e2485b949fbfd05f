"""What intake is told from outside."""

from onedoor.runtime.settings import Settings as ServiceSettings


class Settings(ServiceSettings):
    """Intake's settings: its port."""

    port: int = 8101
