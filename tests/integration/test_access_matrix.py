"""Every endpoint of every service with every role: no token 401, barred 403, out of reach 404 as if unknown.

The endpoints come from each service's routes, what is expected from the access table. What needs no token is
listed here by hand; an endpoint that names no action and is not listed fails.
"""

import importlib
import inspect
import re
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import httpx
import pytest
from fastapi import FastAPI
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute, iter_route_contexts

from onedoor.contracts.core import Actor, Context, Envelope
from onedoor.contracts.events.assistance import Determined
from onedoor.contracts.plan import Plan
from onedoor.contracts.services import SPECIALISED
from onedoor.dev.services import SERVICES as PROCESSES
from onedoor.runtime import database as pools
from onedoor.runtime.access import ROLES, dev_token, may
from onedoor.runtime.app import App
from onedoor.runtime.clock import Clock
from onedoor.runtime.metrics import Metrics
from onedoor.runtime.service import Service
from onedoor.runtime.settings import Settings
from onedoor.runtime.tokens import ensure_dev_key
from onedoor.runtime.unit import Directive, Unit
from tests.casework import CHAIN, NOW, application, envelope
from tests.servers import Servers

SERVICES = tuple(process.module.removeprefix("onedoor.") for process in PROCESSES)
PUBLIC = {
    "GET /health/live",
    "GET /health/ready",
    "GET /metrics",
    "GET /openapi.json",
    "GET /v1/receipts/{receipt}",
}
SOME_ROLES = {"GET /v1/chains/{chain_id}/protection": frozenset({"child-duty", "everything"})}
"""Where an endpoint's own code lets fewer roles in than its action."""
EMPTY = {"GET /v1/chains/{chain_id}/protection"}
"""What answers an unknown id with an empty list: then nothing tells it from one out of reach."""
NOBODY, DEPARTMENT, ELSEWHERE = "a-stranger", "nobodys-department", "500112017"
OWNER = "500112015"


def stranger(role: str) -> Actor:
    """Somebody of that role whose department and division own nothing here."""
    return Actor(person=NOBODY, role=role, department=DEPARTMENT, division=ELSEWHERE)


@dataclass(frozen=True)
class Endpoint:
    """One operation: its action in the access table, and which roles work at the service, if it says so."""

    method: str
    path: str
    action: str | None
    roles: frozenset[str]
    operation: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    def allows(self, role: str) -> bool:
        assert self.action is not None
        return role in self.roles and may(stranger(role), self.action) is not None

    def limited(self, role: str) -> bool:
        """Whether the role reaches only rows of its own department or division."""
        assert self.action is not None
        grant = may(stranger(role), self.action)
        return grant is not None and (grant.own_department or grant.own_division)

    def url(self, ids: Mapping[str, object]) -> str:
        """The path with each parameter filled by the id of the thing that it stands behind."""

        kinds = {each["name"]: each["schema"].get("type") for each in self.operation.get("parameters", ())}

        def fill(match: re.Match[str]) -> str:
            unknown = 999_999_999 if kinds.get(match[2]) == "integer" else uuid4()
            return f"/{match[1]}/{ids.get(match[1].rstrip('s'), unknown)}"

        return re.sub(r"/([a-z-]+)/\{([a-z_]+)\}", fill, self.path)

    @property
    def about_one(self) -> bool:
        return "{" in self.path


@dataclass
class Bench:
    """A service without its stream, with one application's worth of data, and who may ask it."""

    service: Service
    api: FastAPI
    client: httpx.AsyncClient
    key: Path
    ids: Mapping[str, object]
    endpoints: list[Endpoint]

    async def ask(self, endpoint: Endpoint, token: str | None, ids: Mapping[str, object]) -> httpx.Response:
        body = body_for(endpoint.operation, self.api.openapi())
        return await self.client.request(
            endpoint.method,
            endpoint.url(ids),
            json=body,
            params=query_for(endpoint.operation),
            headers={"Authorization": f"Bearer {token}"} if token else {},
        )

    def stranger(self, role: str) -> str:
        return dev_token(self.key, role, DEPARTMENT, ELSEWHERE, NOBODY)


def dependencies(dependant: Dependant) -> Iterator[Callable[..., Any]]:
    for each in dependant.dependencies:
        if inspect.isfunction(each.call):
            yield each.call
        yield from dependencies(each)


def endpoints_of(api: FastAPI) -> list[Endpoint]:
    """All operations, as FastAPI routes them."""
    schema = api.openapi()
    found = []
    for context in iter_route_contexts(api.routes):
        path = context.path
        if path is None or path not in schema["paths"] or not isinstance(context.original_route, APIRoute):
            continue
        closures = [inspect.getclosurevars(call).nonlocals for call in dependencies(context.dependant)]
        actions = {names["action"] for names in closures if isinstance(names.get("action"), str)}
        roles = [names["roles"] for names in closures if isinstance(names.get("roles"), frozenset)]
        assert len(actions) <= 1, f"{path} asks for more than one action: {actions}"
        for method in context.methods or ():
            operation = f"{method} {path}"
            found.append(
                Endpoint(
                    method=method,
                    path=path,
                    action=next(iter(actions), None),
                    roles=roles[0] if roles else SOME_ROLES.get(operation, frozenset(ROLES)),
                    operation=schema["paths"][path][method.lower()],
                )
            )
    return found


CANDIDATES = ("x", "x1", "500112015", "2026-03-03", "2026-03-03T10:00:00+08:00", "2026-03")


def example(schema: Mapping[str, Any], whole: Mapping[str, Any]) -> Any:
    """A smallest value that fits a JSON schema: only what is required."""
    if "$ref" in schema:
        return example(whole["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]], whole)
    if "anyOf" in schema:
        return example(schema["anyOf"][0], whole)
    if "enum" in schema or "const" in schema:
        return schema.get("enum", [schema.get("const")])[0]
    match schema.get("type"):
        case "object":
            properties = schema.get("properties", {})
            return {name: example(properties[name], whole) for name in schema.get("required", ())}
        case "array":
            return [example(schema["items"], whole)] * schema.get("minItems", 0)
        case "integer" | "number":
            return schema.get("minimum", 1)
        case "boolean":
            return False
        case "string":
            return example_text(schema)
    return None


def example_text(schema: Mapping[str, Any]) -> str:
    by_format = {"uuid": str(uuid4()), "date": CANDIDATES[3], "date-time": CANDIDATES[4]}
    if schema.get("format") in by_format:
        return by_format[schema["format"]]
    pattern = schema.get("pattern", "")
    length = schema.get("minLength", 0)
    return next(
        text for text in (*CANDIDATES, "x" * length) if re.search(pattern, text) and len(text) >= length
    )


def body_for(operation: Mapping[str, Any], whole: Mapping[str, Any]) -> Any:
    content = operation.get("requestBody", {}).get("content", {})
    return example(content["application/json"]["schema"], whole) if "application/json" in content else None


def query_for(operation: Mapping[str, Any]) -> dict[str, Any]:
    return {
        each["name"]: example(each["schema"], {})
        for each in operation.get("parameters", ())
        if each["in"] == "query" and each.get("required")
    }


def everything_planned() -> Envelope:
    """A child alone in an emergency: every service has something to do, one referral is on its way."""
    referral = {
        "rule": "R1",
        "from": "township",
        "to": "public-security",
        "to_division": OWNER,
        "urgency": "critical",
        "due_ack": NOW,
        "due_finish": NOW,
    }
    services = [{"name": service.name, "urgency": "critical"} for service in SPECIALISED]
    return envelope(application(plan=Plan.model_validate({"services": services, "referrals": [referral]})))


async def seed(app: App, client: httpx.AsyncClient, token: str) -> dict[str, object]:
    """Bring one application into the service as its stream or its door would; ids by kind of thing."""
    if app.service.name == "intake":
        body = {"channel": "hotline", "place": {"division": OWNER}, "needs": ["cash"], "subjects": []}
        headers = {"Authorization": f"Bearer {token}"}
        entered = await client.post("/v1/applications", json=body, headers=headers)
        assert entered.status_code == 201, entered.text
    else:
        event = everything_planned()
        async with app.unit.transaction() as tx:
            if app.service.absorb is not None:
                await app.service.absorb(tx.conn, [event])
            commands = tuple(app.service.react(event))
            await app.unit.run(tx.conn, [Directive(commands, Context(event.actor, tx.now), event.id)])
    async with app.writer.acquire() as conn:
        rows = await conn.fetch("select aggregatetype, aggregateid from events order by position desc")
    ids = {row["aggregatetype"]: row["aggregateid"] for row in rows} | {"chain": CHAIN}
    return ids | (await pay(app, client, ids["case"]) if app.service.name == "assistance" else {})


async def pay(app: App, client: httpx.AsyncClient, case: UUID) -> dict[str, object]:
    """A decision on the case, a list that pays it, a difference to another office's list; their ids."""
    decision = Determined.model_validate(
        {"service": "assistance", "case_id": case, "chain_id": CHAIN, "application_id": CHAIN,
         "proceeding_id": uuid4(), "programme": "dibao", "state": "granted", "at": NOW,
         "decision_id": uuid4(), "kind": "grant", "reason": "conditions_met", "amount_fen": 1,
         "first_month": "2026-03", "rule_version": "1"}
    )  # fmt: skip
    assert app.service.project is not None
    async with app.unit.transaction() as tx:
        await app.service.project(tx.conn, [envelope(decision)])

    async def ask(method: str, path: str, body: Any = None, person: str = "one") -> Any:
        token = dev_token(app.settings.dev_key, "everything", person=person)
        headers = {"Authorization": f"Bearer {token}"}
        answer = await client.request(method, path, json=body, headers=headers)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    payee = {"holder": "x", "bank": "x", "account": "12345678", "document": "x"}
    change = (await ask("PUT", f"/v1/cases/{case}/payee", payee))["change_id"]
    confirmed = {"change_id": change, "result": "confirmed"}
    await ask("POST", f"/v1/cases/{case}/payee/settle", confirmed, person="two")
    run = (await ask("POST", "/v1/payments/runs", {"programme": "dibao", "month": "2026-03"}))["run_id"]
    await ask("POST", f"/v1/payments/runs/{run}/approve", person="two")
    listed = {"source": "agriculture", "month": "2026-03", "rows": [{"name": "x"}]}
    await ask("POST", "/v1/registry/lists", listed)
    (difference,) = (await ask("GET", "/v1/registry/differences?kind=missing_here"))["items"]
    await app.writer.execute(LEAD, lead := uuid4(), case, NOW)
    return {
        "run": run, "account": decision.proceeding_id, "difference": difference["id"], "lead": lead,
    }  # fmt: skip


LEAD = """
insert into leads (id, case_id, programme, kind, state, found_at, seen_at, division, classification)
select $1, id, 'dibao', 'no_longer', 'open', $3, $3, division, classification from cases where id = $2
"""


@pytest.fixture(params=SERVICES)
async def bench(
    request: pytest.FixtureRequest, servers: Servers, migrated_database: str, tmp_path: Path
) -> AsyncIterator[Bench]:
    name: str = request.param
    module = pytest.importorskip(f"onedoor.{name}.app")
    settings_module = importlib.import_module(f"onedoor.{name}.settings")
    key = tmp_path / "dev.key"
    ensure_dev_key(key)
    settings: Settings = settings_module.Settings(
        environment="test", postgres=migrated_database, kafka=servers.kafka, dev_key=key
    )
    service: Service = module.SERVICE
    api: FastAPI = module.create_app(settings)
    async with running_without_stream(service, settings) as app:
        api.state.onedoor = app
        transport = httpx.ASGITransport(app=api)
        async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
            ids = await seed(app, client, dev_token(key, "everything"))
            yield Bench(service, api, client, key, ids, endpoints_of(api))


@asynccontextmanager
async def running_without_stream(service: Service, settings: Settings) -> AsyncIterator[App]:
    writer = await pools.pool(service, settings, "writer")
    reader = await pools.pool(service, settings, "reader")
    clock = Clock(settings.environment)
    try:
        yield App(service, settings, writer, reader, Unit(service, writer, clock), clock, Metrics())
    finally:
        await writer.close()
        await reader.close()


async def test_every_endpoint_with_every_role(bench: Bench) -> None:
    """One pass over the whole matrix of a service; every wrong cell is named."""
    wrong: list[str] = []
    for endpoint in bench.endpoints:
        if str(endpoint) in PUBLIC:
            continue
        if endpoint.action is None:
            wrong.append(f"{endpoint} names no action and is not listed as public")
            continue
        if endpoint.method != "GET" and endpoint.action.endswith(".read"):
            wrong.append(f"{endpoint} changes something under {endpoint.action}")
        wrong += [problem async for problem in without_sign_in(bench, endpoint)]
        for role in ROLES:
            wrong += [problem async for problem in as_role(bench, endpoint, role)]
    assert not wrong, "\n" + "\n".join(wrong)


async def without_sign_in(bench: Bench, endpoint: Endpoint) -> AsyncIterator[str]:
    for token in (None, "not-a-token"):
        answer = await bench.ask(endpoint, token, bench.ids)
        if answer.status_code != 401:
            yield f"{endpoint} without a good token: {answer.status_code}"


async def as_role(bench: Bench, endpoint: Endpoint, role: str) -> AsyncIterator[str]:
    token = bench.stranger(role)
    unknown = await bench.ask(endpoint, token, {})
    if not endpoint.allows(role):
        if unknown.status_code != 403:
            yield f"{endpoint} as {role}, barred: {unknown.status_code}"
        return
    if unknown.status_code in (401, 403) or unknown.status_code >= 500:
        yield f"{endpoint} as {role}, allowed: {unknown.status_code} {unknown.text}"
    if not endpoint.about_one:
        return
    if unknown.status_code != (200 if str(endpoint) in EMPTY else 404):
        yield f"{endpoint} as {role}, unknown: {unknown.status_code} {unknown.text}"
    if endpoint.limited(role):
        unseen = await bench.ask(endpoint, token, bench.ids)
        if (unseen.status_code, unseen.content) != (unknown.status_code, unknown.content):
            yield f"{endpoint} as {role}, out of reach: {unseen.status_code} {unseen.text}"


async def test_what_the_matrix_asks_for_is_there(bench: Bench) -> None:
    """The out-of-reach cells prove something only if the thing can be seen by somebody."""
    token = dev_token(bench.key, "everything")
    for endpoint in bench.endpoints:
        if endpoint.method == "GET" and endpoint.about_one and str(endpoint) not in PUBLIC:
            answer = await bench.ask(endpoint, token, bench.ids)
            assert answer.status_code == 200, f"{endpoint}: {answer.status_code} {answer.text}"
