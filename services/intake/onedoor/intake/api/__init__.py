"""Intake over HTTP: entering, reading, receipts, and what is sealed."""

from onedoor.intake.api import entering, reading, receipts, sealed

ROUTERS = (entering.router, reading.router, receipts.router, sealed.router)

__all__ = ["ROUTERS"]
