"""`python -m onedoor.intake run | migrate`."""

from onedoor.intake.app import SERVICE, create_app
from onedoor.intake.settings import Settings
from onedoor.runtime.app import main

main(SERVICE, create_app, Settings)
