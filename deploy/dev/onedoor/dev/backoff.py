"""How long a program that has ended by itself stays down."""

STEADY_SECONDS = 20.0
"""Who ran for so long has not failed to start: whatever ended it, it is started again at once."""
FIRST_SECONDS = 0.5
LONGEST_SECONDS = 30.0


class Backoff:
    """One program's: none after a steady run, else twice as long after each short one, up to a limit."""

    def __init__(self) -> None:
        self._short_runs = 0

    def rest(self, ran: float) -> float:
        """Seconds until the next start, after it ran for so many seconds."""
        if ran >= STEADY_SECONDS:
            self._short_runs = 0
            return 0.0
        self._short_runs += 1
        return min(FIRST_SECONDS * 2.0 ** min(self._short_runs - 1, 30), LONGEST_SECONDS)
