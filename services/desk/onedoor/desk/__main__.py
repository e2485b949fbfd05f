"""`python -m onedoor.desk run | migrate | assets`."""

import sys

from onedoor.desk import assets
from onedoor.desk.app import SERVICE, create_app
from onedoor.desk.settings import Settings
from onedoor.runtime.app import main

if sys.argv[1:] == ["assets"]:
    assets.install()
else:
    main(SERVICE, create_app, Settings)
