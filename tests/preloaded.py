"""All that the services import, in the process that is forked for each of them (tests/nursery.py)."""

from importlib import import_module

from onedoor.dev.services import startable

for service in startable():
    import_module(f"{service.module}.app")
