"""The invented applications, posted to intake as anybody else would post them."""

import asyncio
from datetime import date
from pathlib import Path
from typing import Any

import httpx
import yaml

_AT_ONCE = 4


async def post_all(folder: Path, intake: str, token: str) -> tuple[int, list[str]]:
    """Post every `*.yaml` of the folder; how many were taken, and one line per file that was not.

    The file's name is the idempotency key, so that posting again changes nothing.
    """
    bodies = await asyncio.to_thread(read, folder)
    slots = asyncio.Semaphore(_AT_ONCE)
    headers = {"Authorization": f"Bearer {token}"}
    async with httpx.AsyncClient(base_url=intake, headers=headers, timeout=30, trust_env=False) as client:

        async def one(name: str) -> str | None:
            async with slots:
                return await _post(client, name, bodies[name])

        problems = await asyncio.gather(*map(one, bodies))
    refused = [problem for problem in problems if problem is not None]
    return len(bodies) - len(refused), refused


def read(folder: Path) -> dict[str, Any]:
    """The requests by their files' names, in order."""
    return {file.stem: _plain(yaml.safe_load(file.read_bytes())) for file in sorted(folder.glob("*.yaml"))}


def key(name: str) -> str:
    """The idempotency key under which a sample is posted, whoever posts it."""
    return f"sample-{name}"


async def _post(client: httpx.AsyncClient, name: str, body: Any) -> str | None:
    try:
        answer = await client.post(
            "/v1/applications",
            json=body,
            headers={"Idempotency-Key": key(name)},
        )
    except httpx.HTTPError as error:
        return f"{name}: {type(error).__name__}"
    return None if answer.is_success else f"{name}: {answer.status_code} {answer.text[:200]}"


def _plain(value: Any) -> Any:
    """YAML knows dates and moments, JSON does not."""
    if isinstance(value, dict):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_plain(each) for each in value]
    return value.isoformat() if isinstance(value, date) else value
