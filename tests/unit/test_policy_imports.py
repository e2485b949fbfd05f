"""OpenFisca and numpy cost half a second and thirty megabytes: only what computes decisions pays for them."""

import subprocess
import sys

HEAVY = ("openfisca_core", "numpy", "pendulum")


def loaded_by(program: str) -> set[str]:
    """Which of the heavy packages a program has loaded when it ends."""
    asking = f"{program}\nimport sys; print('\\nloaded', *(m for m in {HEAVY!r} if m in sys.modules))"
    result = subprocess.run([sys.executable, "-c", asking], capture_output=True, text=True, check=True)
    return set(result.stdout.splitlines()[-1].split()[1:])


def command(*arguments: str) -> str:
    return f"from onedoor.dev.cli import app\napp({list(arguments)!r}, standalone_mode=False)"


def test_a_deadline_is_counted_without_them() -> None:
    assert loaded_by(command("due", "--from", "2026-03-10", "--limit", "3wd")) == set()


def test_the_other_services_do_without_them() -> None:
    """Together in one process: none of them has loaded what the last one finds unloaded."""
    services = ("intake", "child_welfare", "vagrancy", "charity", "notify", "desk")
    assert loaded_by("\n".join(f"import onedoor.{service}.app" for service in services)) == set()


def test_a_household_is_read_without_them() -> None:
    assert loaded_by("from onedoor.policy import Household, parse_household, packaged_parameters") == set()


def test_a_decision_needs_them() -> None:
    """The probe sees what is loaded."""
    assert loaded_by("from onedoor.policy import decide\ndecide") == set(HEAVY)
