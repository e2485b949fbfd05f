"""What is wrong with an input, and what to do about it."""


class CalendarProblem(ValueError):
    """Unusable input: the field, what is wrong with it, and the remedy, each in one short English phrase."""

    def __init__(self, field: str, problem: str, remedy: str) -> None:
        super().__init__(f"{field}: {problem}; {remedy}")
        self.field = field
        self.problem = problem
        self.remedy = remedy
