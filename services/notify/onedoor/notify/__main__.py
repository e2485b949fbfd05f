"""`python -m onedoor.notify run | migrate`."""

from onedoor.notify.app import SERVICE, create_app
from onedoor.notify.settings import Settings
from onedoor.runtime.app import main

if __name__ == "__main__":
    main(SERVICE, create_app, Settings)
