"""Triage: from the facts of an application to the plan (who is concerned, how urgent, by which rule).

The rules are data (`rules.yaml`), the conditions they name small pure functions, and `evaluate` the one
function that puts them together. `parse_form` reads the application as people send it and never refuses a
report of danger.
"""

from onedoor.triage.application import Application, ApplicationForm
from onedoor.triage.evaluation import evaluate
from onedoor.triage.form import FieldMark, FormProblems, parse_form
from onedoor.triage.rules import Rules, packaged_rules

__all__ = [
    "Application",
    "ApplicationForm",
    "FieldMark",
    "FormProblems",
    "Rules",
    "evaluate",
    "packaged_rules",
    "parse_form",
]
