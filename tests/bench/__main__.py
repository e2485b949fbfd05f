"""`python -m tests.bench [--only P1,L2,start] [--quick] [--json FILE]`."""

import argparse
import asyncio
import json
import sys
from pathlib import Path

from onedoor.dev.settings import DevSettings
from tests.bench.frame import Bench, Outcome, measure
from tests.bench.groups import groups
from tests.bench.report import document, table
from tests.bench.servers import scratch, servers_for_bench


async def run(only: frozenset[str], quick: bool, peers: Path | None) -> list[Outcome]:
    """Everything that is asked for, on servers of its own."""
    with scratch() as folder:
        async with servers_for_bench(Path(folder)) as servers:
            bench = Bench(servers, Path(folder), quick, peers)
            found = [await measure(bench, group, only) for group in groups()]
    return [outcome for outcome in found if outcome is not None]


def main() -> int:
    known = {name for group in groups() for name in (group.name, *(bar.id for bar in group.bars))}
    parser = argparse.ArgumentParser(prog="make bench")
    parser.add_argument("--only", default="", help=f"some of {', '.join(sorted(known))}")
    parser.add_argument("--quick", action="store_true", help="three rounds of less work instead of five")
    parser.add_argument("--json", type=Path, default=DevSettings().root / "bench.json")
    parser.add_argument("--peers", type=Path, help="the Python that has the peers installed")
    args = parser.parse_args()
    only = frozenset(filter(None, args.only.split(",")))
    if unknown := only - known:
        parser.error(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(sorted(known))}")
    outcomes = asyncio.run(run(only, args.quick, args.peers))
    print(table(outcomes))
    args.json.parent.mkdir(parents=True, exist_ok=True)
    args.json.write_text(json.dumps(document(outcomes, args.quick), indent=2, ensure_ascii=False) + "\n")
    print(f"\nwritten to {args.json}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
