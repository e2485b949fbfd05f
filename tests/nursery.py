"""Services as forks of one process that has imported them all: a start then costs no import of the house."""

import multiprocessing
import os
import runpy
import sys
from collections.abc import Mapping
from multiprocessing.context import ForkServerProcess
from pathlib import Path

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.preloaded"])


def born(module: str, environment: Mapping[str, str], folder: Path, log: Path) -> ForkServerProcess:
    """`python -m module run` in this environment and folder, begun; its output is added to the log."""
    child = _CONTEXT.Process(target=_live, args=(module, dict(environment), folder, log), daemon=True)
    child.start()
    return child


def _live(module: str, environment: Mapping[str, str], folder: Path, log: Path) -> None:
    with log.open("ab") as out:
        os.dup2(out.fileno(), 1)
        os.dup2(out.fileno(), 2)
    os.environ.clear()
    os.environ.update(environment)
    os.chdir(folder)
    sys.argv[1:] = ["run"]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
