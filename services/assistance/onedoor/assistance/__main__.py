"""`python -m onedoor.assistance run | migrate`."""

from onedoor.assistance.app import SERVICE, create_app
from onedoor.assistance.settings import Settings
from onedoor.runtime.app import main

if __name__ == "__main__":
    main(SERVICE, create_app, Settings)
