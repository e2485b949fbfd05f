"""`python -m onedoor.contracts.check [--base REF]`: do the contracts hold?

Committed schemas and AsyncAPI document say what the models say; every version of a type, here, at the base
and in every release (git tag) before it, can be read with every other; identity travels apart.
Prints a line per problem. Exits 0 when there is none, 1 when there is one, 2 for an unknown base.
"""

import argparse
import json
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from onedoor.contracts import asyncapi, compatibility, history, schemas
from onedoor.contracts.compatibility import Schema
from onedoor.contracts.schemas import FOLDER


def problems(base: str | None, folder: Path = FOLDER) -> list[str]:
    """Everything that is wrong, a line each. `base`: a commit, or None for the folder alone."""
    past = history.past_schemas(base, folder) if base else {}
    return [
        *schemas.stale(folder),
        *schemas.misplaced_identity(),
        *asyncapi.stale(folder.parent / asyncapi.FILE.name),
        *incompatible(past, schemas.committed(folder)),
    ]


def incompatible(past: Mapping[str, Mapping[str, str]], present: Mapping[str, str]) -> list[str]:
    """What breaks between any two versions of a type, or a version that is gone.

    past: file name to label to text, from old to new; present: file name to text.
    """
    gone = [
        f"{name}: gone, but its events may still be on their topic; keep the file"
        for name in past
        if name not in present
    ]
    return gone + [
        f"{type_}: {problem}"
        for type_, versions in _by_type(past, present).items()
        for problem in compatibility.full_transitive(versions)
    ]


def _by_type(
    past: Mapping[str, Mapping[str, str]], present: Mapping[str, str]
) -> Mapping[str, Mapping[str, Schema]]:
    """By type: the label and schema of each version and of each of its states, old to new, none twice.

    Files that are no schema are left out; `schemas.stale` names them.
    """
    found: dict[str, dict[str, Schema]] = defaultdict(dict)
    for type_, version, name in sorted(_versions(past.keys() | present.keys())):
        states = {f"v{version} ({label})": text for label, text in past.get(name, {}).items()}
        now = present.get(name)
        earlier = {
            label: text for label, text in states.items() if now is None or text.strip() != now.strip()
        }
        for label, text in {**earlier, **({f"v{version}": now} if now else {})}.items():
            if (schema := _schema(text)) is not None:
                found[type_][label] = schema
    return found


def _versions(names: Iterable[str]) -> Iterator[tuple[str, int, str]]:
    for name in names:
        with suppress(ValueError):
            yield *schemas.parse_name(name), name


def _schema(text: str) -> Schema | None:
    with suppress(ValueError):
        found = json.loads(text)
        return found if isinstance(found, dict) else None
    return None


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m onedoor.contracts.check", description="Do the contracts hold?"
    )
    parser.add_argument(
        "--base", help="compare with the schemas where this ref was left (origin/main, else HEAD)"
    )
    try:
        base = history.base_commit(parser.parse_args(arguments).base)
    except history.UnknownBase as error:
        print(f"{error} names no commit here; fetch it, or give another --base", file=sys.stderr)
        return 2
    found = problems(base)
    against = f"compared with {base[:10]}" if base else "no git history to compare with"
    print("\n".join(found) or f"contracts hold: {len(schemas.committed())} schemas, {against}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
