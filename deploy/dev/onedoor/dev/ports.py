"""TCP ports on this machine."""

import random
import socket

from onedoor.dev.errors import CannotStart

# Below the range that outgoing connections draw from, so that a server that restarts finds its port again.
_FREE_RANGE = range(20000, 28000)


def is_free(port: int, host: str = "127.0.0.1") -> bool:
    """Whether a server could listen there now."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def require_free(port: int, what: str, variable: str, host: str = "127.0.0.1") -> None:
    """Raises CannotStart, naming the port and the variable that moves it."""
    if not is_free(port, host):
        raise CannotStart(
            f"port {port} ({what}) is taken: stop what uses it (`onedoor down`, if it is OneDoor), "
            f"or choose another, for example {variable}={port + 1000}"
        )


def free(neighbours: int = 1, host: str = "127.0.0.1") -> int:
    """A port that is free now, with that many free ones in a row from it on."""
    for _ in range(200):
        port = random.choice(_FREE_RANGE)  # noqa: S311  no secret
        if all(is_free(port + step, host) for step in range(neighbours)):
            return port
    raise CannotStart(f"no free port between {_FREE_RANGE.start} and {_FREE_RANGE.stop}")
