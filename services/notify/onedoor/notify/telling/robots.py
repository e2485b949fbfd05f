"""The chat robots of WeCom and DingTalk: Apprise's, but for what counts as delivered.

Both refuse a message with HTTP 200 and an `errcode` in the body (unknown key, wrong signature, too many a
minute, too long), which Apprise takes for a success. It also escapes DingTalk's signature twice, so that no
robot with a secret ever takes a message.
"""

import json
from typing import Any
from urllib.parse import unquote, urlsplit

import httpx
from apprise.exception import AppriseImproperlyConfigured
from apprise.plugins.base import NotifyBase
from apprise.plugins.dingtalk import NotifyDingTalk
from apprise.plugins.wecombot import NotifyWeComBot


class WeComRobot(NotifyWeComBot):  # type: ignore[no-untyped-call]
    """`wecombot://{key}`."""

    def send(self, body: str, title: str = "", *_: Any, **__: Any) -> bool:
        return _post(self, self.api_url, {}, {"msgtype": "text", "text": {"content": body}})


class DingTalkRobot(NotifyDingTalk):  # type: ignore[no-untyped-call]
    """`dingtalk://{token}`, `dingtalk://{secret}@{token}`, with `/{phone}` for whom it calls by name."""

    def send(self, body: str, title: str = "", *_: Any, **__: Any) -> bool:
        signed = {}
        if self.secret:
            timestamp, signature = self.get_signature()  # type: ignore[no-untyped-call]
            signed = {"timestamp": timestamp, "sign": unquote(signature)}
        text = {"content": f"{title}\n{body}" if title else body}
        at = {"atMobiles": self.targets, "isAtAll": False}
        url = self.notify_url.format(token=self.token)
        return _post(self, url, signed, {"msgtype": "text", "text": text, "at": at})


_ROBOTS: dict[str, type[NotifyBase]] = {"wecombot": WeComRobot, "dingtalk": DingTalkRobot}


def robot(url: str) -> NotifyBase | None:
    """The robot that an Apprise address names; None where it names none, or one that cannot be."""
    kind = _ROBOTS.get(urlsplit(url).scheme)
    parsed = kind.parse_url(url) if kind is not None else None
    if kind is None or parsed is None:
        return None
    try:
        return kind(**parsed)
    except AppriseImproperlyConfigured:
        return None


def _post(plugin: NotifyBase, url: str, query: dict[str, str], said: dict[str, Any]) -> bool:
    """Whether the service has taken it: HTTP 200 and errcode 0. Why not is logged for the channel to read."""
    connect, read = plugin.request_timeout
    try:
        answer = httpx.post(
            httpx.URL(url).copy_merge_params(query),
            content=json.dumps(said, ensure_ascii=False).encode(),
            headers={"content-type": "application/json; charset=utf-8"},
            timeout=httpx.Timeout(read, connect=connect),
        )
    except httpx.HTTPError as error:
        plugin.logger.warning(type(error).__name__)
        return False
    if answer.status_code != httpx.codes.OK:
        plugin.logger.warning(f"HTTP {answer.status_code}")
        return False
    code = _errcode(answer)
    if code != 0:
        plugin.logger.warning("answered without errcode" if code is None else f"errcode {code}")
    return code == 0


def _errcode(answer: httpx.Response) -> int | None:
    try:
        code = answer.json()["errcode"]
    except (ValueError, KeyError, TypeError):
        return None
    return code if isinstance(code, int) else None
