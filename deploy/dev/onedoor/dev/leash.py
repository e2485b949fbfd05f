"""Run a command that ends when its parent does: `python -m onedoor.dev.leash SIGNAL COMMAND…`.

On Linux the kernel sends the signal when the parent is gone, however it went; elsewhere it is only run.
"""

import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1


def main() -> None:
    signal, command = int(sys.argv[1]), sys.argv[2:]
    parent = os.getppid()
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal)
        if os.getppid() != parent:
            sys.exit(1)
    os.execvp(command[0], command)


if __name__ == "__main__":
    main()
