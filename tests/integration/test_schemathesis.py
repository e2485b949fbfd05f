"""Every operation of every service, as its own OpenAPI describes it and as it does not, with each role.

Whatever is sent, the answer is no error of the server (an honest 503 is none), and every error is a problem
document. Schemathesis makes the requests, half of them against the description; ids of things that exist are
mixed in, so that what happens behind them is reached. The short form runs in `make test`, the long one
in `make fuzz`.
"""

import asyncio
import importlib
import json
import os
import re
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast
from urllib.parse import quote

import httpx
import pytest
import requests
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.core.result import Ok

from onedoor.runtime.access import ROLES, dev_token
from onedoor.runtime.app import App
from onedoor.runtime.service import Service
from onedoor.runtime.settings import Settings
from onedoor.runtime.tokens import ensure_dev_key
from tests.integration.test_access_matrix import (
    OWNER,
    SERVICES,
    Endpoint,
    endpoints_of,
    running_without_stream,
)
from tests.integration.test_access_matrix import seed as seeded
from tests.servers import Servers

LONG = bool(os.environ.get("ONEDOOR_LONG"))
SEED = int(os.environ.get("ONEDOOR_SEED", "20260303"))
EXAMPLES = 100 if LONG else 2
"""Requests by the description for each operation, and as many against it; each is sent with each role."""

pytestmark = pytest.mark.timeout(3600 if LONG else 600)

PROBLEM = "application/problem+json"
HEADERS: tuple[dict[str, str], ...] = (
    {},
    {"Idempotency-Key": "one"},
    {"Idempotency-Key": "\x7f" * 300},
    {"If-Match": '"1"'},
    {"If-Match": 'W/"x", *'},
    {"Content-Type": "text/plain"},
    {"traceparent": "00-" + "f" * 32 + "-zz"},
)
"""What travels beside the body and stands in no description."""


@dataclass
class Target:
    """A service in this process, with one application's worth of data."""

    service: Service
    client: httpx.AsyncClient
    tokens: Mapping[str, str]
    endpoints: Mapping[str, Endpoint]
    schema: dict[str, Any]
    ids: Mapping[str, object]
    loop: asyncio.AbstractEventLoop
    answers: Counter[int] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)

    def send(self, request: requests.PreparedRequest, role: str) -> httpx.Response:
        """Ask in the loop that the service's pools belong to; called from another thread."""
        asking = asyncio.run_coroutine_threadsafe(self._ask(request, role), self.loop)
        return asking.result(30)

    async def _ask(self, request: requests.PreparedRequest, role: str) -> httpx.Response:
        headers = {name: str(value) for name, value in request.headers.items() if name != "Content-Length"}
        return await self.client.request(
            cast(str, request.method),
            cast(str, request.url),
            content=cast(bytes | str | None, request.body),
            headers=headers | {"Authorization": f"Bearer {self.tokens[role]}"},
        )

    def roles(self, operation: str) -> list[str]:
        """Those whom the endpoint lets in, and one whom it bars."""
        endpoint = self.endpoints[operation]
        if endpoint.action is None:
            return ["everything"]
        allowed = [role for role in ROLES if endpoint.allows(role)]
        return allowed + [role for role in ROLES if role not in allowed][:1]


@pytest.fixture(params=SERVICES)
async def target(
    request: pytest.FixtureRequest, servers: Servers, migrated_database: str, tmp_path: Path
) -> AsyncIterator[Target]:
    module = importlib.import_module(f"onedoor.{request.param}.app")
    own = importlib.import_module(f"onedoor.{request.param}.settings")
    key = tmp_path / "dev.key"
    ensure_dev_key(key)
    configured: Settings = own.Settings(
        environment="test", postgres=migrated_database, kafka=servers.kafka, dev_key=key
    )
    api: FastAPI = module.create_app(configured)
    service: Service = module.SERVICE
    async with running_without_stream(service, configured) as app:
        api.state.onedoor = app
        transport = httpx.ASGITransport(app=api, raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            yield await _target(app, api, client, key)


async def _target(app: App, api: FastAPI, client: httpx.AsyncClient, key: Path) -> Target:
    return Target(
        service=app.service,
        client=client,
        tokens={role: dev_token(key, role, "public-security", OWNER) for role in ROLES},
        endpoints={str(endpoint): endpoint for endpoint in endpoints_of(api)},
        schema=api.openapi(),
        ids=await seeded(app, client, dev_token(key, "everything")),
        loop=asyncio.get_running_loop(),
    )


async def test_no_request_of_any_role_is_an_error_of_the_server(target: Target) -> None:
    print(f"seed {SEED}")
    schema = schemathesis.openapi.from_dict(json.loads(json.dumps(target.schema)))
    operations: list[Any] = [found.ok() for found in schema.get_all_operations() if isinstance(found, Ok)]
    assert len(operations) == sum(map(len, target.schema["paths"].values())), "the description is faulty"
    for operation in operations:
        await asyncio.to_thread(explore, target, operation)
    print(f"{target.service.name}: {len(operations)} operations, answers {sorted(target.answers.items())}")
    assert not target.faults, "\n" + "\n".join(target.faults)
    assert {200, 403, 404, 422} <= target.answers.keys(), "the requests reached too little"


def explore(target: Target, operation: Any) -> None:
    """Make requests for one operation; one that is answered wrongly is noted (long form: the smallest)."""
    for mode in GenerationMode:
        try:
            _requests(target, operation, mode)
        except Unsatisfiable:
            assert mode is GenerationMode.NEGATIVE, f"nothing fits the description of {operation.path}"
        except AssertionError as fault:
            target.faults.append(str(fault))


def _requests(target: Target, operation: Any, mode: GenerationMode) -> None:
    name = f"{operation.method.upper()} {operation.path}"
    roles = target.roles(name)

    @seed(SEED)
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        phases=(Phase.generate, Phase.shrink) if LONG else (Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    @given(
        case=operation.as_strategy(generation_mode=mode),
        known=st.booleans(),
        headers=st.sampled_from(HEADERS),
    )
    def check(case: schemathesis.Case[Any], known: bool, headers: dict[str, str]) -> None:
        if known:
            _point_to_what_exists(case, target.ids)
        case.headers.update(headers)
        request = requests.Request(**case.as_transport_kwargs(base_url="http://test")).prepare()
        for role in roles:
            answer = target.send(request, role)
            target.answers[answer.status_code] += 1
            if fault := wrong(answer):
                raise AssertionError(
                    f"{name} as {role}: {fault}\n  sent {request.url} {request.body!r:.2000}"
                )

    check()


def _point_to_what_exists(case: schemathesis.Case[Any], ids: Mapping[str, object]) -> None:
    """In the path, the id of each thing that there is one of."""
    for thing, parameter in re.findall(r"/([a-z-]+)/\{([a-z_]+)\}", case.path):
        if (id_ := ids.get(thing.rstrip("s"))) is not None:
            case.path_parameters[parameter] = quote(str(id_))


def wrong(answer: httpx.Response) -> str | None:
    """What is wrong with an answer, if anything is."""
    status, kind = answer.status_code, answer.headers.get("content-type", "")
    if status >= 500 and status != 503:
        return f"{status} {answer.text[:500]}"
    if status < 400:
        return None
    if kind != PROBLEM:
        return f"{status} as {kind}: {answer.text[:200]}"
    said = answer.json()
    lacking = {"type", "title", "status"} - said.keys()
    if lacking or said["status"] != status:
        return f"{status} is a problem without {lacking or 'its own status'}: {said}"
    return None
