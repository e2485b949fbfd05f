"""Logs hold no personal data, whoever writes them."""

import asyncio
import json
import logging
from collections.abc import Iterator
from dataclasses import replace
from uuid import UUID

import asyncpg
import pytest
import structlog

from onedoor.contracts.core import Classification, Envelope
from onedoor.runtime import logs, tracing
from onedoor.runtime.settings import Settings
from onedoor.runtime.tracing import SpanKind
from tests.integration.toy import withdrawal

NAME, ID, OLD_ID, PHONE, LANDLINE = (
    "欧阳·铁柱",
    "50011219900101123X",
    "500112900101123",
    "13812345678",
    "023-67821234",
)
TRACEPARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
PLANTED = ("欧阳", "铁柱", ID, OLD_ID, PHONE, "138-1234-5678", LANDLINE)


@pytest.fixture(autouse=True)
def _configured() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def configured(log_format: str = "json") -> None:
    logs.configure("toy", Settings(log_format=log_format, instance="2"))


def withdrawn(chain: UUID, classification: Classification = "internal") -> Envelope:
    return replace(withdrawal(chain), classification=classification)


def clean(text: str) -> list[str]:
    for part in PLANTED:
        assert part not in text
    return text.splitlines()


def _raise(text: str) -> None:
    try:
        raise KeyError(text)
    except KeyError as error:
        raise ValueError(f"no {text}") from error


@pytest.mark.parametrize("log_format", ["json", "console"])
def test_nothing_planted_comes_out(log_format: str, capsys: pytest.CaptureFixture[str]) -> None:
    configured(log_format)
    everything = f"{NAME} {ID} {OLD_ID} {PHONE} 138-1234-5678 +86 {PHONE} {LANDLINE}"
    structured, plain = structlog.get_logger("a"), logging.getLogger("b")
    structured.info(f"stored {everything}", name=NAME, phone=PHONE, status=everything, count=int(PHONE))
    structured.warning("stored", state={"name": NAME}, type=[NAME, {ID: 1}], chain_id=UUID(int=1))
    plain.warning("stored %s", everything, extra={"id_number": ID, "reason": NAME, "address": NAME})
    logging.getLogger("uvicorn.error").error("boom %s", NAME)
    logging.getLogger("uvicorn.access").info("GET /v1/people?name=%s", NAME)
    logging.getLogger("aiokafka").error("cannot send %r", everything)
    for logger in (structured, plain):
        try:
            _raise(everything)
        except ValueError:
            logger.exception("failed")
    lines = clean(capsys.readouterr().out)
    assert len(lines) >= 7


def last(capsys: pytest.CaptureFixture[str]) -> dict[str, object]:
    entry: dict[str, object] = json.loads(clean(capsys.readouterr().out)[-1])
    return entry


def test_a_line_has_what_operators_need(capsys: pytest.CaptureFixture[str]) -> None:
    configured()
    with tracing.span("x", SpanKind.CONSUMER, TRACEPARENT), logs.subject():
        logs.about(withdrawn(UUID(int=1)))
        logging.getLogger("onedoor.x").warning("no progress", extra={"consumer": "desk", "attempt": 3})
    entry = last(capsys)
    assert entry.pop("timestamp")
    assert entry == {
        "event": "no progress",
        "level": "warning",
        "logger": "onedoor.x",
        "service": "toy",
        "instance": "2",
        "consumer": "desk",
        "attempt": 3,
        "chain_id": str(UUID(int=1)),
        "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
    }


def test_dropped_keys_are_counted(capsys: pytest.CaptureFixture[str]) -> None:
    configured()
    before = logs.dropped_keys()
    structlog.get_logger().info("stored", name=NAME, phone=PHONE, count=1)
    assert last(capsys)["dropped_keys"] == 2
    assert logs.dropped_keys() == before + 2


def test_an_exception_shows_types_and_places_only(capsys: pytest.CaptureFixture[str]) -> None:
    configured()
    try:
        _raise(NAME)
    except ValueError:
        logging.getLogger().exception("failed")
    raised = last(capsys)["raised"]
    assert isinstance(raised, list)
    assert [each["error"] for each in raised] == ["ValueError", "KeyError"]
    assert raised[0]["at"][-1].endswith(" _raise")


def test_an_error_of_postgres_shows_its_state(capsys: pytest.CaptureFixture[str]) -> None:
    configured()
    logging.getLogger().error("failed", exc_info=asyncpg.UniqueViolationError(NAME))
    raised = last(capsys)["raised"]
    assert isinstance(raised, list)
    assert raised[0]["sqlstate"] == "23505"


@pytest.mark.parametrize(
    "text",
    [
        "0193b2c1-1381-7234-8123-13812345678a",
        "4bf92f3577b34da6a3ce929d0e0e4736",
        "2026-02-13T00:00:00+08:00",
        "offset 123456 of 987654321",
        "500112015",
    ],
)
def test_ids_and_figures_stay_readable(text: str) -> None:
    assert logs.mask(text) == text


def test_no_personal_field_is_on_the_allow_list() -> None:
    assert {"name", "id_number", "phone", "address", "birth"} <= logs.personal_keys()
    assert not logs.ALLOWED & logs.personal_keys()


@pytest.mark.parametrize("structured", [False, True])
def test_a_line_outside_of_any_work_names_no_trace(
    capsys: pytest.CaptureFixture[str], structured: bool
) -> None:
    configured()
    with tracing.span("x", SpanKind.CONSUMER), logs.subject():
        logs.about(withdrawn(UUID(int=1)))
    (structlog.get_logger() if structured else logging.getLogger()).warning("idle")
    assert not {"trace_id", "chain_id"} & set(last(capsys))


def test_what_a_line_says_of_itself_goes_before_what_is_around_it(capsys: pytest.CaptureFixture[str]) -> None:
    configured()
    with tracing.span("x", SpanKind.CONSUMER, TRACEPARENT):
        logging.getLogger().warning("cannot be published", extra={"trace_id": "b" * 32})
    assert last(capsys)["trace_id"] == "b" * 32


def test_a_childs_chain_is_not_named_and_the_one_before_it_neither(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configured()
    with logs.subject():
        logs.about(withdrawn(UUID(int=1)))
        logs.about(withdrawn(UUID(int=2), "child"))
        structlog.get_logger().warning("set aside")
    assert "chain_id" not in last(capsys)


async def test_each_request_has_its_own_help_chain(capsys: pytest.CaptureFixture[str]) -> None:
    configured()
    both_named = asyncio.Barrier(2)

    async def request(chain: UUID) -> None:
        with logs.subject():
            logs.about(withdrawn(chain))
            await both_named.wait()
            structlog.get_logger().warning("about one", count=chain.int)

    await asyncio.gather(request(UUID(int=1)), request(UUID(int=2)))
    seen = {
        entry["count"]: entry["chain_id"] for entry in map(json.loads, capsys.readouterr().out.splitlines())
    }
    assert seen == {1: str(UUID(int=1)), 2: str(UUID(int=2))}
