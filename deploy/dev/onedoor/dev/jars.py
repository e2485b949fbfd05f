"""The Java packages of Apache Kafka: fetched once, then found in the cache without asking anybody."""

import fcntl
import json
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from onedoor.dev.errors import CannotStart

KAFKA_VERSION = "4.3.1"
_BROKER = f"org.apache.kafka:kafka_2.13:{KAFKA_VERSION}"
# The broker logs through slf4j, but depends on no implementation of it. Resolved together with the broker,
# the version table of log4j would replace parts of it by older ones: so this jar alone, by its name.
_LOGGING = "org.apache.logging.log4j:log4j-slf4j-impl:2.25.4"
_RUNTIME_SCOPES = (None, "compile", "runtime")

Say = Callable[[str], None]


def class_path(cache: Path, say: Say = lambda _: None) -> tuple[Path, ...]:
    """Every jar that the broker needs. Downloads about 45 MB the first time.

    Raises CannotStart without a network.
    """
    cache.mkdir(parents=True, exist_ok=True)
    with _locked(cache / "kafka.lock"):
        listing = cache / f"kafka-{KAFKA_VERSION}.json"
        known = _read(listing, cache)
        if known is None:
            say(f"downloading Apache Kafka {KAFKA_VERSION} (about 45 MB, once)")
            known = _download(cache)
            sizes = {str(jar.relative_to(cache)): jar.stat().st_size for jar in known}
            listing.write_text(json.dumps(sizes, indent=1))
    return known


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _read(listing: Path, cache: Path) -> tuple[Path, ...] | None:
    if not listing.is_file():
        return None
    sizes: dict[str, int] = json.loads(listing.read_text())
    jars = {cache / name: size for name, size in sizes.items()}
    whole = all(jar.is_file() and jar.stat().st_size == size for jar, size in jars.items())
    return tuple(jars) if whole else None


def _download(cache: Path) -> tuple[Path, ...]:
    # jgo's environments would fetch a whole Java 11 to sort jars into modules; the bare resolver does not.
    from jgo.maven import MavenContext
    from jgo.parse import Coordinate

    context = MavenContext(repo_cache=cache / "maven", timeout=30)
    try:
        broker, logging = (context.create_dependency(Coordinate.parse(each)) for each in (_BROKER, _LOGGING))
        wanted, needed = context.resolver.resolve([broker])
        artifacts = {
            dependency.artifact.key: dependency.artifact
            for dependency in (*wanted, *needed, logging)
            if dependency.scope in _RUNTIME_SCOPES
        }
        with ThreadPoolExecutor(6) as pool:
            return tuple(pool.map(_fetch, artifacts.values()))
    except (OSError, RuntimeError, ValueError) as error:
        raise CannotStart(
            f"cannot download Apache Kafka {KAFKA_VERSION} ({type(error).__name__}): "
            "the first start needs a network, or ONEDOOR_KAFKA=host:port of a broker that runs already"
        ) from error


def _fetch(artifact: Any) -> Path:
    jar = Path(artifact.resolve())
    if not zipfile.is_zipfile(jar):
        jar.unlink()
        jar = Path(artifact.resolve())
    if not zipfile.is_zipfile(jar):
        raise OSError(f"{jar.name} arrived broken")
    return jar
