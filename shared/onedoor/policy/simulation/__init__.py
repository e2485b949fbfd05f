"""What if: a register of households under other figures, who gains, who loses, and what it costs.

register = read_register(path, day) or generated(1_000_000, day)
study = Study(register, day)                    # arrays and the present answers, once
effect = study.effect(packaged_parameters().changed("dibao_standard.urban", day, 800))
"""

from onedoor.policy.simulation.effects import Effect, Group, ProgrammeCost
from onedoor.policy.simulation.files import RegisterProblem, read_register
from onedoor.policy.simulation.generated import generated
from onedoor.policy.simulation.register import Register, register_of
from onedoor.policy.simulation.study import Study

__all__ = [
    "Effect",
    "Group",
    "ProgrammeCost",
    "Register",
    "RegisterProblem",
    "Study",
    "generated",
    "read_register",
    "register_of",
]
