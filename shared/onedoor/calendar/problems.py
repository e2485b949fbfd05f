"""What is wrong with an input, and what to do about it."""


class CalendarProblem(ValueError):
    """Unusable input: the field, what is wrong with it, and the remedy, each in one short phrase.

    `problem_zh` and `remedy_zh` are the same in Chinese.
    """

    def __init__(self, field: str, problem: str, remedy: str, problem_zh: str, remedy_zh: str) -> None:
        super().__init__(f"{field}: {problem}; {remedy}")
        self.field = field
        self.problem = problem
        self.remedy = remedy
        self.problem_zh = problem_zh
        self.remedy_zh = remedy_zh

    @property
    def zh(self) -> str:
        """The same sentence in Chinese."""
        return f"{self.field}：{self.problem_zh}；{self.remedy_zh}"
