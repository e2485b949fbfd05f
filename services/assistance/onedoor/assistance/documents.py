"""`python -m onedoor.assistance.documents`: writes docs/workflows.md from the workflows' tables."""

from pathlib import Path

from onedoor.assistance.domain.programmes import WORKFLOWS
from onedoor.assistance.domain.table import diagram, rows

HEAD = """# Workflows of the assistance programmes

Generated from `services/assistance/onedoor/assistance/domain/programmes.py` by
`python -m onedoor.assistance.documents`; a test holds both together. `stay` leaves the state, `back` restores
the one before a suspension. Guards are functions of `domain/guards.py`; clocks are numbered as in the table
of limits, `all` means those of the proceeding that still run. Events that never travel are marked by having
no schema.
"""


def workflows_page() -> str:
    """The page: per programme its state diagram and its table."""
    parts = [HEAD]
    for programme, workflow in WORKFLOWS.items():
        parts.append(f"## {programme}\n\n```mermaid\n{diagram(workflow)}\n```\n\n{rows(workflow)}\n")
    return "\n".join(parts)


if __name__ == "__main__":
    (Path.cwd() / "docs" / "workflows.md").write_text(workflows_page(), "utf-8")
