"""Assistance over HTTP: what any case knows, and its programmes' proceedings."""

from onedoor.assistance.domain import NAME
from onedoor.assistance.proceedings_api import add_proceedings
from onedoor.runtime.casework_api import case_router

ROLES: frozenset[str] = frozenset({"caseworker", "reviewer", "district", "finance", "everything"})
"""Who works here; how far each reaches stands in access.py and in the tables' row-level policies."""

router = case_router(NAME, ROLES)
add_proceedings(router, ROLES)
