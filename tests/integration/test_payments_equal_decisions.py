"""Whatever is decided, listed, approved, thrown away, returned, given back: payments equal decisions."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import asyncpg
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from hypothesis.stateful import run_state_machine_as_test as run_machine

from onedoor.assistance.app import SERVICE
from onedoor.assistance.payments.schedule import Decided, month_number, month_text
from onedoor.contracts.core import derived_id
from onedoor.contracts.events.assistance import CaseSuspended, SuspicionCleared
from tests.assistance import HERE, Assistance, assistance, proceeding_of
from tests.servers import Servers

MIGRATED = (SERVICE,)
OLD, YOUNG = derived_id("test-person", "old"), derived_id("test-person", "young")
HOUSEHOLDS = {
    "two on dibao": ("dibao", (OLD, YOUNG)),
    "one in tekun": ("tekun", (OLD,)),
    "one on dibao": ("dibao", ()),
    "aid given once": ("temporary_expenditure", ()),
}
"""The first is not paid dibao in a month in which its old member is paid as a person in tekun."""
RIVALS = {"two on dibao": "one in tekun"}
BEGIN = datetime(2026, 3, 20, 2, tzinfo=UTC)
FIRST = month_number("2026-01")
EMPTY = "truncate lines, entries, runs, spans, decisions, account_people, payees, accounts, cases cascade"
PAYEE = (
    "insert into payees values ($1, '白小满', 'invented bank', '6200000000001234', $2, 'test', 'internal')"
)
LEDGER = """
select proceeding_id, paid_fen, coalesce(sum(entries.amount_fen), 0)::bigint as entered
from accounts left join entries using (proceeding_id) group by proceeding_id
"""


def ruling(made: list[Decided], month: int) -> int:
    """What the month is worth: the latest decision that has begun by then says it."""
    for each in reversed([each for each in made if each.kind != "recover"]):
        if each.first <= month:
            last = each.first if each.per == "once" else each.last
            return 0 if each.kind == "stop" or (last is not None and last < month) else each.amount_fen
    return 0


def due(made: list[Decided], rival: list[Decided], month: int) -> int:
    """Month by month, plainly: what rules it, save where the rival is paid, less what was recovered."""
    months = range(FIRST - 12, month + 1)
    regular = sum(ruling(made, each) for each in months if ruling(rival, each) == 0)
    return regular - sum(each.amount_fen for each in made if each.kind == "recover" and each.first <= month)


class PaymentsEqualDecisions(RuleBasedStateMachine):
    """The product lists, approves and pays; beside it the decisions are counted by hand."""

    service: ClassVar[Assistance]
    loop: ClassVar[asyncio.AbstractEventLoop]
    owner: ClassVar[asyncpg.Connection]

    def do(self, work: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(work, self.loop).result(30)

    def ask(self, method: str, path: str, body: Any = None, person: str = "finance-1") -> Any:
        return self.do(self.service.ask(method, path, body, person=person))

    @initialize()
    def households(self) -> None:
        self.service.clock.at = BEGIN
        self.made: dict[str, list[Decided]] = {name: [] for name in HOUSEHOLDS}
        self.suspended: set[str] = set()
        self.waiting: dict[str, dict[str, Any]] = {}
        self.built = 0
        self.do(self._households())

    async def _households(self) -> None:
        await self.owner.execute(EMPTY)
        for name, (_, people) in HOUSEHOLDS.items():
            case = await self.service.case(name, people, HERE)
            await self.owner.execute(PAYEE, case, BEGIN - timedelta(days=1))

    @property
    def month(self) -> int:
        return month_number(f"{self.service.clock.at:%Y-%m}")

    @rule(
        name=st.sampled_from(sorted(HOUSEHOLDS)),
        kind=st.sampled_from(("grant", "grant", "adjust", "taper", "stop", "recover")),
        back=st.integers(-1, 3),
        lasts=st.integers(0, 3),
        fen=st.integers(1, 90_000),
    )
    def decided(self, name: str, kind: Any, back: int, lasts: int, fen: int) -> None:
        made, programme = self.made[name], HOUSEHOLDS[name][0]
        if kind not in ("grant", "taper") and not made:
            return
        first = max(self.month - back, FIRST)
        per: Any = "once" if programme == "temporary_expenditure" or kind == "recover" else "month"
        last = first if per == "once" else first + lasts if kind == "taper" else None
        fen = 0 if kind == "stop" else fen
        told = self.do(
            self.service.determined(
                derived_id("test-case", name), kind, programme, amount_fen=fen, per=per,
                first_month=month_text(first), last_month=None if last is None else month_text(last),
            )
        )  # fmt: skip
        made.append(Decided(told.decision_id, kind, per, fen, first, last))
        self.told_as_counted(name)

    @rule(name=st.sampled_from(sorted(HOUSEHOLDS)), clear=st.booleans())
    def suspected(self, name: str, clear: bool) -> None:
        if not self.made[name]:
            return
        of = self.service.of(derived_id("test-case", name), HOUSEHOLDS[name][0])
        self.do(self.service.told(SuspicionCleared(**of) if clear else CaseSuspended(**of)))
        (self.suspended.discard if clear else self.suspended.add)(name)

    @rule(programme=st.sampled_from(("dibao", "dibao", "tekun", "temporary_expenditure")))
    def list_built(self, programme: str) -> None:
        body = {"programme": programme, "month": month_text(self.month), "number": self.built + 1}
        answer = self.ask("POST", "/v1/payments/runs", body)
        if programme in self.waiting:
            assert answer.json()["code"] == "payment.other_waits"
            return
        self.built += 1
        self.waiting[programme] = answer.json()

    @precondition(lambda self: self.waiting)
    @rule(approve=st.sampled_from((True, True, False)), data=st.data())
    def list_settled(self, approve: bool, data: st.DataObject) -> None:
        programme = data.draw(st.sampled_from(sorted(self.waiting)))
        run = self.waiting.pop(programme)
        way = "approve" if approve else "discard"
        answer = self.ask("POST", f"/v1/payments/runs/{run['run_id']}/{way}", person="finance-2")
        assert answer.is_success, answer.text
        if approve:
            self.paid = run["run_id"]

    @precondition(lambda self: getattr(self, "paid", None) and self.built)
    @rule(name=st.sampled_from(sorted(HOUSEHOLDS)), part=st.integers(1, 40_000), by_bank=st.booleans())
    def money_comes_back(self, name: str, part: int, by_bank: bool) -> None:
        account = proceeding_of(derived_id("test-case", name), HOUSEHOLDS[name][0])
        if by_bank:
            back = {"proceeding_id": str(account), "reason": "account closed"}
            self.ask("POST", f"/v1/payments/runs/{self.paid}/returned", back)
        else:
            given = {"amount_fen": part, "document": "receipt"}
            self.ask("POST", f"/v1/payments/accounts/{account}/repayments", given)

    @precondition(lambda self: self.month < FIRST + 11)
    @rule()
    def a_month_passes(self) -> None:
        self.service.clock.at += timedelta(days=30)

    @invariant()
    def each_account_holds_what_its_ledger_says(self) -> None:
        for row in self.do(self.service.app.writer.fetch(LEDGER)):
            assert row["paid_fen"] == row["entered"] >= 0

    def told_as_counted(self, name: str) -> tuple[int, int]:
        """What the account says is owed and open is what was decided, less what was paid; (owed, paid)."""
        account = proceeding_of(derived_id("test-case", name), HOUSEHOLDS[name][0])
        told = self.ask("GET", f"/v1/payments/accounts/{account}").json()
        owed = due(self.made[name], self.made.get(RIVALS.get(name, ""), []), self.month)
        assert (told["owed_fen"], told["open_fen"]) == (owed, owed - told["paid_fen"])
        return owed, told["paid_fen"]

    def teardown(self) -> None:
        """With nothing in the way one more list pays all that is owed, and no fen more."""
        if not hasattr(self, "made"):
            return
        for run in self.waiting.values():
            self.ask("POST", f"/v1/payments/runs/{run['run_id']}/discard")
        self.waiting = {}
        for name in sorted(self.suspended):
            self.suspected(name, clear=True)
        before = {name: self.told_as_counted(name) for name, made in self.made.items() if made}
        self.service.clock.at += timedelta(seconds=1)
        for programme in ("dibao", "tekun", "temporary_expenditure"):
            self.list_built(programme)
            run = self.waiting.pop(programme)["run_id"]
            self.ask("POST", f"/v1/payments/runs/{run}/approve", person="finance-2")
        for name, (owed, paid) in before.items():
            assert self.told_as_counted(name) == (owed, max(owed, paid)), "a debt is taken off, never paid"


@pytest.fixture
async def service(servers: Servers, database: str, tmp_path: Path) -> AsyncIterator[Assistance]:
    async with assistance(servers, database, tmp_path / "dev.key") as service:
        yield service


async def test_payments_equal_decisions(service: Assistance, database: str) -> None:
    PaymentsEqualDecisions.service = service
    PaymentsEqualDecisions.loop = asyncio.get_running_loop()
    bounded = settings(max_examples=15, stateful_step_count=18, deadline=None)
    owner = await asyncpg.connect(database, server_settings={"search_path": "assistance"})
    PaymentsEqualDecisions.owner = owner
    try:
        await asyncio.to_thread(run_machine, PaymentsEqualDecisions, settings=bounded)
    finally:
        await owner.close()
