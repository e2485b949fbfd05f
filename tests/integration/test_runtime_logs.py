"""What libraries log about our exceptions holds no value of theirs."""

import asyncio
import io
import logging
from collections.abc import Iterator

import pytest

from onedoor.runtime import logs
from onedoor.runtime.settings import Settings


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    root = logging.getLogger()
    before, level = root.handlers[:], root.level
    logs.configure("toy", Settings(environment="test"))
    out = io.StringIO()
    handler = root.handlers[0]
    assert isinstance(handler, logging.StreamHandler)
    handler.setStream(out)
    yield out
    root.handlers[:], root.level = before, level


async def test_an_exception_that_nobody_awaited_shows_its_type_alone(written: io.StringIO) -> None:
    async def failing() -> None:
        raise ValueError("Li Invented, 12 Invented Street")

    task = asyncio.create_task(failing())
    await asyncio.wait([task])
    context = {"message": "Task exception was never retrieved", "exception": task.exception(), "future": task}
    asyncio.get_running_loop().call_exception_handler(context)
    assert "Invented" not in written.getvalue()
    assert "ValueError" in written.getvalue()
