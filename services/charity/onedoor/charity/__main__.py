"""`python -m onedoor.charity run | migrate`."""

from onedoor.charity.app import SERVICE, create_app
from onedoor.charity.settings import Settings
from onedoor.runtime.app import main

if __name__ == "__main__":
    main(SERVICE, create_app, Settings)
