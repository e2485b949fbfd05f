"""O1 to O5: what a decision with its reasons costs beside OpenFisca alone, and a register under variants."""

import asyncio
import os
import resource
import sys

from tests.bench.frame import ROOT, Bar, Bench, Figures, Group

CASE = """
as_of: "2026-03-10"
region: urban
registered_division: "500112016"
members:
- {id: m1, relation: head, birth: "1980-05-06", incomes: [{kind: wages, amount: 900, per: month}]}
- {id: m2, relation: spouse, birth: "1982-08-09"}
"""


async def toy(bench: Bench) -> Figures:
    return await bench.anchor(
        "openfisca_toy", count=bench.size(2_000, 500), households=bench.size(100_000, 20_000)
    )


async def reasoned(bench: Bench) -> Figures:
    return await bench.product("policy", mode="reasoned", count=bench.size(500, 150))


async def bare(bench: Bench) -> Figures:
    return await bench.product("policy", mode="bare", count=bench.size(500, 150))


async def many(bench: Bench) -> Figures:
    return await bench.product("policy", mode="many", count=bench.size(100_000, 20_000))


async def variants(bench: Bench) -> Figures:
    return await bench.product("policy", mode="variants", count=bench.size(1_000_000, 500_000))


async def register(bench: Bench) -> Figures:
    return await bench.product("policy", mode="register", count=bench.size(20_000, 4_000))


async def start(bench: Bench) -> Figures:
    """Processor seconds of `onedoor decide` from nothing to its answer, and of importing OpenFisca."""
    file = bench.folder / "household.yaml"
    file.write_text(CASE, "utf-8")
    modules = "openfisca_core.simulations, openfisca_core.taxbenefitsystems, openfisca_core.parameters"
    await _seconds("-m", "onedoor.dev.cli", "decide", str(file))
    imported = [await _seconds("-c", f"import {modules}") for _ in range(3)]
    decided = [await _seconds("-m", "onedoor.dev.cli", "decide", str(file)) for _ in range(3)]
    return {"decide": min(decided), "import": min(imported)}


_ENVIRONMENT = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
"""As it is used: compiled once, by the run before the first that counts."""


async def _seconds(*argv: str) -> float:
    began = _spent()
    process = await asyncio.create_subprocess_exec(
        sys.executable, *argv, cwd=ROOT, env=_ENVIRONMENT, stdout=asyncio.subprocess.DEVNULL
    )
    if await process.wait():
        raise RuntimeError(f"{argv} ended with {process.returncode}")
    return _spent() - began


def _spent() -> float:
    """Processor seconds of all ended child processes."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


RUNS = (toy, reasoned, bare, many, variants, register, start)
GROUP = Group(
    name="policy",
    runs={run.__name__: run for run in RUNS},
    bars=(
        Bar("O1", "one decision, per variable ÷ toy's",
            "bare.us_per_variable", "toy.one_us_per_variable", 2, 1.3, least=False),
        Bar("O1b", "household among 100,000, per variable ÷ toy's",
            "many.ns_per_variable", "toy.many_ns_per_variable", 2, 1.3, least=False),
        Bar("O2", "decision with reasons ÷ OpenFisca's own, p50", "reasoned.p50", "bare.p50", 2, least=False),
        Bar("O2b", "decision with reasons ÷ OpenFisca's own, p99",
            "reasoned.p99", "bare.p99", 2, least=False, steady=False),
        Bar("O3", "second variant of a register ÷ first, arrays included",
            "variants.second", "variants.first", 0.1, least=False),
        Bar("O3b", "households a second of a variant ÷ bare calculation on built arrays",
            "variants.rate", "variants.bare_rate", 1),
        Bar("O4", "memory of a register's study ÷ 2 GiB",
            "variants.mib", "variants.limit_mib", 1, least=False),
        Bar("O5", "`onedoor decide` ÷ importing OpenFisca", "start.decide", "start.import", 2, least=False),
    ),
)  # fmt: skip
