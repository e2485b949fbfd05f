"""Become another program that ends when its parent does, however the parent ends.

`python -m onedoor.dev.leash PARENT SIGNAL USER PROGRAM [ARGUMENT...]`; USER is `-` to stay who we are.
"""

import ctypes
import os
import pwd
import signal
import sys

_PR_SET_PDEATHSIG = 1


def hold(on_parent_death: signal.Signals, parent: int) -> None:
    """Ask the kernel for a signal at the parent's death.

    Linux only; elsewhere `onedoor down` sweeps what is left.
    """
    if sys.platform.startswith("linux"):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(on_parent_death))
    if os.getppid() != parent:
        sys.exit(1)


def _become(user: str) -> None:
    entry = pwd.getpwnam(user)
    os.initgroups(user, entry.pw_gid)
    os.setgid(entry.pw_gid)
    os.setuid(entry.pw_uid)


def main(parent: str, number: str, user: str, *program: str) -> None:
    """Change the user first, since that clears the request for the signal; then exec."""
    if user != "-":
        _become(user)
    os.dup2(1, 2)  # one log
    hold(signal.Signals(int(number)), int(parent))
    os.execvp(program[0], program)  # noqa: S606  no shell is wanted


if __name__ == "__main__":
    main(*sys.argv[1:])
