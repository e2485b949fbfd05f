"""`python -m onedoor.vagrancy run | migrate`."""

from onedoor.runtime.app import main
from onedoor.vagrancy.app import SERVICE, create_app
from onedoor.vagrancy.settings import Settings

if __name__ == "__main__":
    main(SERVICE, create_app, Settings)
