"""What the machine lacks is said in one line that names the remedy."""

import shutil
import socket
from collections import namedtuple
from pathlib import Path

import pytest

from onedoor.dev import jars, ports
from onedoor.dev.errors import CannotStart
from onedoor.dev.resolve import backends, require_disk
from onedoor.dev.services import SERVICES, by_name
from onedoor.dev.settings import DevSettings

Usage = namedtuple("Usage", "total used free")


def test_a_taken_port_is_named_with_what_moves_it() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert not ports.is_free(port)
        with pytest.raises(CannotStart, match=rf"port {port} \(intake\) is taken.*ONEDOOR_INTAKE_PORT="):
            ports.require_free(port, "intake", "ONEDOOR_INTAKE_PORT")


def test_free_ports_are_free_with_their_neighbours() -> None:
    port = ports.free(3)
    assert all(ports.is_free(port + step) for step in range(3))


def test_too_little_disk_says_how_much_and_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: Usage(10, 10, 1024**3))
    with pytest.raises(CannotStart, match=r"1\.0 GiB free at .*ONEDOOR_HOME"):
        require_disk(tmp_path)


def test_without_network_the_first_start_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("HTTPS_PROXY", "https_proxy"):
        monkeypatch.setenv(variable, "http://127.0.0.1:9")
    with pytest.raises(CannotStart, match="the first start needs a network") as problem:
        jars.class_path(tmp_path)
    assert "\n" not in str(problem.value)


def test_known_jars_are_taken_from_the_cache_and_broken_ones_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetched: list[Path] = []

    def fetch(cache: Path) -> tuple[Path, ...]:
        jar = cache / "broker.jar"
        jar.write_bytes(b"whole")
        fetched.append(jar)
        return (jar,)

    monkeypatch.setattr(jars, "_download", fetch)
    assert jars.class_path(tmp_path) == jars.class_path(tmp_path) == (tmp_path / "broker.jar",)
    assert len(fetched) == 1
    (tmp_path / "broker.jar").write_bytes(b"who")
    jars.class_path(tmp_path)
    assert len(fetched) == 2


def test_addresses_come_before_containers_before_own_servers() -> None:
    assert backends(DevSettings(kafka=None, postgres=None, servers="embedded")) == ("embedded", "embedded")
    asked = DevSettings(kafka="127.0.0.1:9092", postgres=None, servers="testcontainers")
    assert backends(asked) == ("environment", "testcontainers")


def test_a_port_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    service = by_name("child-welfare")
    monkeypatch.setenv("ONEDOOR_CHILD_WELFARE_PORT", "8203")
    assert service.url == "http://127.0.0.1:8203"
    monkeypatch.setenv("ONEDOOR_CHILD_WELFARE_PORT", "70000")
    with pytest.raises(CannotStart, match="ONEDOOR_CHILD_WELFARE_PORT=70000 is no port"):
        _ = service.port


def test_names_and_ports_of_services_are_their_own() -> None:
    assert (
        len({service.name for service in SERVICES})
        == len({s.default_port for s in SERVICES})
        == len(SERVICES)
    )
