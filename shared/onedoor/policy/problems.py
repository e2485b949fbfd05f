"""What is wrong with a household file, field by field, in words that a clerk understands."""

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict


class FieldProblem(BaseModel):
    """One field that cannot stand: where, what is wrong, and what to do, in English and Chinese."""

    model_config = ConfigDict(frozen=True)

    field: str
    problem: str
    problem_zh: str
    remedy: str
    remedy_zh: str
    allowed: tuple[str, ...] = ()


class HouseholdProblems(ValueError):
    """The household cannot be decided upon as it is; `problems` says why."""

    def __init__(self, problems: Sequence[FieldProblem]) -> None:
        super().__init__("\n".join(_sentence(problem) for problem in problems))
        self.problems = tuple(problems)


def _sentence(problem: FieldProblem) -> str:
    allowed = f" ({', '.join(problem.allowed)})" if problem.allowed else ""
    return (
        f"{problem.field}: {problem.problem}{allowed}; {problem.remedy} / "
        f"{problem.problem_zh}{allowed}；{problem.remedy_zh}"
    )
