"""`python -m onedoor.child_welfare run | migrate`."""

from onedoor.child_welfare.app import SERVICE, create_app
from onedoor.child_welfare.settings import Settings
from onedoor.runtime.app import main

if __name__ == "__main__":
    main(SERVICE, create_app, Settings)
