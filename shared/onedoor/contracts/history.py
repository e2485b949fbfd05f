"""The schemas that git knows: at the base of a change, and in every release before it."""

import subprocess
from collections.abc import Mapping
from pathlib import Path

from onedoor.contracts.schemas import FOLDER

DEFAULTS = ("origin/main", "HEAD")


class UnknownBase(Exception):
    """The ref names no commit here."""


def base_commit(ref: str | None, folder: Path = FOLDER) -> str | None:
    """Where the present change left `ref`; without a ref, origin/main or else HEAD.

    None where there is no git, no repository or no commit. Raises UnknownBase if a given ref names no commit.
    """
    for candidate in (ref,) if ref else DEFAULTS:
        if commit := _git(folder, "rev-parse", "--verify", "--quiet", f"{candidate}^{{commit}}"):
            return _git(folder, "merge-base", commit, "HEAD") or commit
    if ref:
        raise UnknownBase(ref)
    return None


def past_schemas(commit: str, folder: Path = FOLDER) -> Mapping[str, Mapping[str, str]]:
    """By file name: the label (`release 1.2`, `base`) and text of each state, from old to new."""
    states: dict[str, dict[str, str]] = {}
    seen: set[tuple[str, str]] = set()
    tags = _git(folder, "tag", "--merged", commit, "--sort=creatordate").split()
    for label, tree in (*((f"release {tag}", tag) for tag in tags), ("base", commit)):
        for name, blob in _files(folder, tree):
            if (name, blob) not in seen:
                seen.add((name, blob))
                states.setdefault(name, {})[label] = _git(folder, "cat-file", "blob", blob)
    return states


def _files(folder: Path, commit: str) -> list[tuple[str, str]]:
    """Name and blob of the folder's files as they were in a commit."""
    lines = _git(folder, "ls-tree", commit, "./").splitlines()
    fields = (line.split(maxsplit=3) for line in lines)
    return [(name, blob) for _, kind, blob, name in fields if kind == "blob" and name.endswith(".json")]


def _git(folder: Path, *arguments: str) -> str:
    """What git prints; empty where it cannot."""
    try:
        done = subprocess.run(["git", "-C", folder, *arguments], capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
