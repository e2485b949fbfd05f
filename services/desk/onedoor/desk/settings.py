"""What the desk is told from outside."""

from onedoor.runtime.settings import Settings as ServiceSettings


class Settings(ServiceSettings):
    """The desk's settings: where the other services answer, and how long it waits for them.

    command_wait: seconds until an event of a command is in the desk's own inbox;
    answer_wait: seconds for an answer of another service.
    """

    port: int = 8100
    intake_url: str = "http://127.0.0.1:8101"
    assistance_url: str = "http://127.0.0.1:8102"
    child_welfare_url: str = "http://127.0.0.1:8103"
    notify_url: str = "http://127.0.0.1:8106"
    command_wait: float = 2.0
    answer_wait: float = 5.0

    @property
    def urls(self) -> dict[str, str]:
        """Every other service's address, by its name."""
        return {
            "intake": self.intake_url,
            "assistance": self.assistance_url,
            "child-welfare": self.child_welfare_url,
            "notify": self.notify_url,
        }
