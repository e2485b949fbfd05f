"""`onedoor demo`: the samples played one by one, the departments' answers, and what happens where none comes.

Everything that is said is read back from the desk's API; everything that is done goes through intake's and
notify's, under keys that make a second play change nothing.
"""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import httpx

from onedoor.desk.words import Words
from onedoor.dev import samples
from onedoor.dev.clock import set_clock
from onedoor.dev.control import running
from onedoor.dev.errors import CannotStart
from onedoor.dev.settings import DevSettings
from onedoor.dev.state import Run
from onedoor.dev.up import bring_up
from onedoor.runtime.access import dev_token

Json = Mapping[str, Any]
Say = Callable[[str], None]
Verb = tuple[str, Mapping[str, str]]

ZH, EN = Words("zh"), Words("en")
ONWARD = ("sent", "acknowledged", "acted", "answered", "verified", "closed")
"""The states of a referral that goes its straight way, in order."""
LATE = ("clock.warned", "clock.breached", "alert.escalated")
ANSWER: Verb = (
    "answer",
    {"outcome": "other", "feedback": "已上门核实并提供帮助。Seen on the spot and helped."},
)
_SHOWN_SECONDS = 30.0
_LONGEST_WAIT = 14
"""Days that are walked on after a breach until somebody is told."""


def play(settings: DevSettings, say: Say, pause: float) -> None:
    """Play it all on the system that runs, or on one that it starts; pause: seconds between steps.

    Raises CannotStart.
    """
    if Run(settings.root).running() is None:
        bring_up(settings, detach=True, samples=False)
    demo = Demo(settings, say, pause)
    try:
        demo.play()
    except httpx.HTTPError as error:
        raise CannotStart(f"the demo was cut off ({type(error).__name__}); see `onedoor logs`") from None


@dataclass(frozen=True, slots=True)
class Told:
    """A sample that intake has taken down, and the chain as the desk shows it."""

    name: str
    chain: Json

    @property
    def id(self) -> str:
        return str(self.chain["chain_id"])


class Demo:
    """One play."""

    def __init__(self, settings: DevSettings, say: Say, pause: float) -> None:
        self._settings = settings
        self._say = say
        self._pause = pause
        self._urls = {name: service.url for name, service in running(settings).services.items()}

    def play(self) -> None:
        """All three acts."""
        self._say(f"看板：{self._urls['desk']}（以 everything-1 登录） | the desk; sign in as everything-1")
        told = [
            self._post(name, body, f"{number}/{count}")
            for number, count, name, body in _numbered(samples.read(self._settings.samples))
        ]
        left = forgotten(told)
        if left is None:
            raise CannotStart("every referral is answered: `onedoor reset` and `onedoor demo` play it anew")
        self._say("\n—— 各部门签收、反馈 | the departments answer ——")
        for one in told:
            done = list(answers(one.chain["referrals"], left, whole=one is left_in(told, left)))
            if done:
                self._say(f"\n{one.chain['receipt']}   {self._page(one.chain)}")
            for referral, verbs in done:
                self._answer(one, referral, verbs)
        self._walk(left_in(told, left), left)
        self._say(
            "\n完。把时钟调回系统时间 | The end. Back to the system's time:\n"
            "  onedoor clock reset\n"
            "从头再演 | To play it anew:\n"
            "  onedoor down; onedoor reset; onedoor demo"
        )

    def _client(self, service: str, role: str = "everything", department: str | None = None) -> httpx.Client:
        token = dev_token(self._settings.dev_key, role, department)
        return httpx.Client(
            base_url=self._urls[service],
            headers={"Authorization": f"Bearer {token}"},
            timeout=30,
            trust_env=False,
        )

    def _post(self, name: str, body: Json, place: str) -> Told:
        self._say(f"\n{place} {body.get('facts_text', name)}\n    {self._title(name)}")
        with self._client("intake") as intake:
            answer = intake.post(
                "/v1/applications", json=body, headers={"Idempotency-Key": samples.key(name)}
            )
        if not answer.is_success:
            raise CannotStart(f"intake did not take {name}: {answer.status_code} {answer.text[:300]}")
        taken = answer.json()
        chain = self._shown(taken["chain_id"], lambda chain: complete(chain, taken["plan"]))
        self._say(f"    回执 {chain['receipt']} | receipt   {self._page(chain)}")
        for case in chain["cases"]:
            self._both(case_line(case, ZH), case_line(case, EN))
        for referral in chain["referrals"]:
            self._both(referral_line(referral, ZH), referral_line(referral, EN))
        time.sleep(self._pause)
        return Told(name, chain)

    def _title(self, name: str) -> str:
        first = (self._settings.samples / f"{name}.yaml").read_text().partition("\n")[0]
        return first.lstrip("# ")

    def _answer(self, told: Told, referral: Json, verbs: Sequence[Verb]) -> None:
        id_ = referral["referral_id"]
        with self._client("notify", "department", referral["to"]) as notify:
            for verb, body in verbs:
                answer = notify.post(
                    f"/v1/referrals/{id_}/{verb}",
                    json=body,
                    headers={"Idempotency-Key": f"demo-{verb}-{id_}"},
                )
                if not answer.is_success and answer.status_code != httpx.codes.CONFLICT:
                    raise CannotStart(f"notify refused to {verb} {id_}: {answer.status_code}")
                state = answer.json()["state"] if answer.is_success else "sent"
                chain = self._shown(told.id, partial(reached, id_, state))
                self._both(referral_line(_of(chain, id_), ZH), referral_line(_of(chain, id_), EN))
        time.sleep(self._pause)

    def _walk(self, told: Told, left: Json) -> None:
        """Move the clock to the warning, past the limit, and on by days until somebody is told."""
        self._say("\n—— 时钟前行 | the clock walks on ——")
        self._both(f"无人签收：{referral_line(left, ZH)}", f"nobody acknowledges: {referral_line(left, EN)}")
        clock = self._first_clock(left["referral_id"])
        due = datetime.fromisoformat(clock["due_at"])
        since = self._move(told, clock, datetime.fromisoformat(clock["warn_at"]), None, "clock.warned")
        since = self._move(told, clock, due, since, "clock.breached")
        for day in range(1, _LONGEST_WAIT + 1):
            before = since
            since = self._move(told, clock, due + timedelta(days=day), since, None)
            if any(entry["type"] == "alert.escalated" for entry in self._between(told, before, since)):
                return
        raise CannotStart(f"nobody was told within {_LONGEST_WAIT} days; see `onedoor logs notify`")

    def _first_clock(self, referral: str) -> Json:
        with self._client("notify") as notify:
            answer = notify.get(f"/v1/referrals/{referral}").raise_for_status()
        first: Json = min(answer.json()["clocks"], key=lambda clock: clock["due_at"])
        return first

    def _move(
        self, told: Told, clock: Json, moment: datetime, since: datetime | None, wanted: str | None
    ) -> datetime:
        """Just past the moment; says what happened meanwhile. Waits for the wanted event of the clock."""
        now = moment + timedelta(seconds=1)
        began = since or now - timedelta(seconds=2)
        time.sleep(self._pause)
        shown = set_clock(self._settings, now.astimezone(UTC).isoformat())
        self._say(f"\n  ⏱ {shown}")
        states = {"clock.warned": ("warned", "breached"), "clock.breached": ("breached",)}
        if wanted is not None:
            self._shown(told.id, lambda chain: _clock(chain, clock)["state"] in states[wanted])
        self._settled(told)
        happened = self._between(told, began, now)
        for entry in happened:
            self._both(entry["summary"], f"{EN.label('event', entry['type'])}, {_owner(entry)}")
        if not happened:
            self._both("（这条链上无新事）", "(nothing new on this chain)")
        self._say(f"    {self._page(told.chain)}")
        return now

    def _settled(self, told: Told) -> None:
        """Until the desk has heard what notify has to tell: its timeline stands still for a second."""
        known, since = -1, time.monotonic()
        while time.monotonic() - since < 1:
            count = len(self._chain(told.id)["timeline"])
            if count != known:
                known, since = count, time.monotonic()
            time.sleep(0.1)

    def _between(self, told: Told, since: datetime, now: datetime) -> list[Json]:
        timeline = self._chain(told.id)["timeline"]
        return [
            entry
            for entry in timeline
            if entry["type"] in LATE and since < datetime.fromisoformat(entry["time"]) <= now
        ]

    def _chain(self, id_: str) -> Json:
        with self._client("desk") as desk:
            answer = desk.get(f"/v1/chains/{id_}")
        if answer.status_code == httpx.codes.NOT_FOUND:
            return {"chain_id": id_, "cases": (), "referrals": (), "timeline": (), "clocks": ()}
        found: Json = answer.raise_for_status().json()
        return found

    def _shown(self, id_: str, condition: Callable[[Json], bool]) -> Json:
        """The chain as soon as the desk shows it so."""
        deadline = time.monotonic() + _SHOWN_SECONDS
        while not condition(chain := self._chain(id_)):
            if time.monotonic() > deadline:
                raise CannotStart(f"the desk does not show what happened to {id_}; see `onedoor logs desk`")
            time.sleep(0.1)
        return chain

    def _page(self, chain: Json) -> str:
        return f"{self._urls['desk']}/chains/{chain['chain_id']}"

    def _both(self, zh: str, en: str) -> None:
        self._say(f"    {zh}\n      {en}")


def _numbered(bodies: Mapping[str, Json]) -> Iterator[tuple[int, int, str, Json]]:
    for number, (name, body) in enumerate(bodies.items(), 1):
        yield number, len(bodies), name, body


def complete(chain: Json, plan: Json) -> bool:
    """Whether the chain holds at least a case of every planned service, and every planned referral."""
    services = {case["service"] for case in chain["cases"]}
    return len(chain["referrals"]) >= len(plan["referrals"]) and services >= {
        service["name"] for service in plan["services"]
    }


def reached(referral_id: str, state: str, chain: Json) -> bool:
    """Whether the referral has come as far as this state, or has left the straight way."""
    now = _of(chain, referral_id)["state"]
    return now not in ONWARD or state not in ONWARD or ONWARD.index(now) >= ONWARD.index(state)


def forgotten(told: Sequence[Told]) -> Json | None:
    """The referral that nobody answers in this play: the first that is not critical and was not answered."""
    everything = [referral for one in told for referral in one.chain["referrals"]]
    return next((r for r in everything if r["urgency"] != "critical" and r["state"] == "sent"), None)


def left_in(told: Sequence[Told], left: Json) -> Told:
    """Where that referral stands."""
    return next(one for one in told if left in one.chain["referrals"])


def answers(referrals: Sequence[Json], left: Json, whole: bool) -> Iterator[tuple[Json, Sequence[Verb]]]:
    """What departments do: emergencies at once, of the rest each second one; whole: all but the one left."""
    for number, referral in enumerate(referrals):
        if referral["referral_id"] == left["referral_id"] or referral["state"] == "drafted":
            continue
        verbs: list[Verb] = [("acknowledge", {})]
        if referral["due_action"]:
            verbs.append(("act", {}))
        if whole or referral["urgency"] == "critical" or number % 2:
            verbs.append(ANSWER)
        yield referral, verbs


def case_line(case: Json, words: Words) -> str:
    """A case, in one line."""
    return " · ".join(
        (
            words.label("service", case["service"]),
            words.label("case", case["state"]),
            words.label("urgency", case["urgency"]),
        )
    )


def referral_line(referral: Json, words: Words) -> str:
    """A referral, in one line: by which rule from whom to whom, how far, until when."""
    sender, receiver = (words.label("department", referral[end]) for end in ("from", "to"))
    due = referral["due_finish"]
    parts = [
        f"{referral['rule']} {sender} → {receiver}",
        words.label("urgency", referral["urgency"]),
        words.label("state", referral["state"]),
    ]
    if due:
        until = words.deadline(datetime.fromisoformat(due))
        parts.append(f"{words.label('due', 'due_finish')} {until}")
    if referral["overdue"]:
        parts.append(words.label("state", "breached"))
    return " · ".join(parts)


def _of(chain: Json, referral_id: str) -> Json:
    found: Json = next(each for each in chain["referrals"] if each["referral_id"] == referral_id)
    return found


def _clock(chain: Json, clock: Json) -> Json:
    found: Json = next(each for each in chain["clocks"] if each["clock_id"] == clock["clock_id"])
    return found


def _owner(entry: Json) -> str:
    return EN.label("department", entry["department"]) if entry["department"] else ""
