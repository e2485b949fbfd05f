"""What a newcomer is told when something is missing on the machine."""


class CannotStart(Exception):
    """The system cannot start; the message is one line that says what to do."""
