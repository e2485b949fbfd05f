"""Intake's tables beside the events: SQL in named functions, written as sets."""

from onedoor.intake.views import applications, people, progress, receipts, sealed
from onedoor.intake.views.applications import project

__all__ = ["applications", "people", "progress", "project", "receipts", "sealed"]
