"""The services' HTTP APIs, asked with the signed-in person's own token. Nothing here raises."""

import hashlib
import json
import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

import httpx

from onedoor.desk.session import Session
from onedoor.desk.settings import Settings
from onedoor.runtime import tracing

logging.getLogger("httpx").setLevel(logging.WARNING)


@dataclass(frozen=True, slots=True)
class Reply:
    """What a service said. status 0: it did not answer. event: the id to wait for in the desk's inbox."""

    service: str
    status: int
    body: Any = None
    event: UUID | None = None
    headers: Mapping[str, str] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        return 200 <= self.status < 300

    @property
    def away(self) -> bool:
        """It did not answer, or could not."""
        return self.status == 0 or self.status >= 500

    def problem(self, language: str) -> str:
        """What went wrong, in the reader's language, as the service says it."""
        if not isinstance(self.body, dict):
            return ""
        return str(self.body.get("detail_zh" if language == "zh" else "detail") or self.body.get("title", ""))

    @property
    def errors(self) -> Sequence[Mapping[str, Any]]:
        """The fields at fault."""
        errors = self.body.get("errors") if isinstance(self.body, dict) else None
        return errors if isinstance(errors, list) else ()


def wish(key: object, said: Mapping[str, Any]) -> str | None:
    """A form's Idempotency-Key: with the same words it is the same wish, with mended ones another one."""
    words = json.dumps(said, sort_keys=True).encode()
    return f"{key}-{hashlib.sha256(words).hexdigest()[:16]}" if key else None


class Services:
    """One pool of connections to all services."""

    def __init__(self, settings: Settings) -> None:
        self._urls = settings.urls
        self._client = httpx.AsyncClient(timeout=settings.answer_wait, trust_env=False)

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self._urls)

    async def get(self, session: Session, service: str, path: str, **params: Any) -> Reply:
        """Ask a service."""
        return await self._ask(session, "GET", service, path, params=params)

    async def post(
        self,
        session: Session,
        service: str,
        path: str,
        body: Any = None,
        key: str | None = None,
        version: str | None = None,
    ) -> Reply:
        """Tell a service; with a key the same wish twice is one, with a version only what was seen moves."""
        headers = {"Idempotency-Key": key} if key else {}
        headers |= _only(version)
        return await self._ask(session, "POST", service, path, json=body or {}, headers=headers)

    async def put(
        self, session: Session, service: str, path: str, body: Any, version: str | None = None
    ) -> Reply:
        """Set what lies at a path; twice the same is once, with a version only what was seen is replaced."""
        return await self._ask(session, "PUT", service, path, json=body, headers=_only(version))

    async def put_text(
        self, session: Session, service: str, path: str, text: str, version: str | None = None
    ) -> Reply:
        """Set what lies at a path to a text file's content."""
        plain = {"content-type": "text/plain; charset=utf-8"} | _only(version)
        return await self._ask(session, "PUT", service, path, content=text.encode(), headers=plain)

    async def post_text(self, session: Session, service: str, path: str, text: str) -> Reply:
        """Give a service a text file's content."""
        plain = {"content-type": "text/plain; charset=utf-8"}
        return await self._ask(session, "POST", service, path, content=text.encode(), headers=plain)

    async def delete(self, session: Session, service: str, path: str) -> Reply:
        """Take away what lies at a path."""
        return await self._ask(session, "DELETE", service, path)

    async def file(self, session: Session, service: str, path: str) -> Reply:
        """Take a file away: where there is one, the reply's body is its bytes."""
        return await self._ask(session, "GET", service, path, read=_bytes)

    async def _ask(
        self,
        session: Session,
        method: str,
        service: str,
        path: str,
        headers: Any = None,
        read: Callable[[httpx.Response], Any] | None = None,
        **more: Any,
    ) -> Reply:
        everything = {"Authorization": f"Bearer {session.token}", **tracing.headers(), **(headers or {})}
        try:
            answer = await self._client.request(
                method, self._urls[service] + path, headers=everything, **more
            )
        except (httpx.HTTPError, httpx.InvalidURL):
            return Reply(service, 0)
        body = (read or _json)(answer)
        return Reply(service, answer.status_code, body, _event(answer), dict(answer.headers))

    async def ready(self, service: str) -> Reply:
        """How a service says it is."""
        try:
            answer = await self._client.get(self._urls[service] + "/health/ready")
        except (httpx.HTTPError, httpx.InvalidURL):
            return Reply(service, 0)
        return Reply(service, answer.status_code, _json(answer))

    async def close(self) -> None:
        await self._client.aclose()


def _only(version: str | None) -> dict[str, str]:
    """Refused with 412 where another version stands by now."""
    return {"If-Match": f'"{version}"'} if version else {}


def _json(answer: httpx.Response) -> Any:
    try:
        return answer.json()
    except ValueError:
        return None


def _bytes(answer: httpx.Response) -> Any:
    return answer.content if answer.is_success else _json(answer)


def _event(answer: httpx.Response) -> UUID | None:
    try:
        return UUID(answer.headers["onedoor-event"])
    except (KeyError, ValueError):
        return None


async def names(services: Services, session: Session, ids: Sequence[UUID], purpose: str) -> dict[UUID, str]:
    """The names of people, as far as the signed-in person may know them; empty where they may not."""
    if not ids:
        return {}
    reply = await services.get(
        session, "intake", "/v1/people", ids=[str(id_) for id_ in ids[:200]], purpose=purpose
    )
    if not reply.ok or not isinstance(reply.body, list):
        return {}
    return {UUID(person["person_id"]): person["name"] for person in reply.body if person.get("name")}
