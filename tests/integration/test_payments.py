"""Payments on a real database: every fen that is owed is paid once, held with a reason, or taken back."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from openpyxl import load_workbook

from onedoor.assistance.app import SERVICE
from onedoor.assistance.domain.approval import packaged
from onedoor.assistance.payments import runs
from onedoor.assistance.payments.schedule import Decided, month_number, owed, schedule
from onedoor.contracts.core import derived_id
from onedoor.contracts.events.assistance import (
    CaseSuspended,
    Determined,
    JurisdictionChanged,
    ProceedingEnded,
    SuspicionCleared,
)
from tests.assistance import DIBAO, HERE, THERE, Assistance, assistance
from tests.servers import Servers

MIGRATED = (SERVICE,)
ACCOUNT = {
    "holder": "白小满", "bank": "invented bank", "account": "6200000000001234", "document": "card copy 7",
}  # fmt: skip
OTHER = {"holder": "另一人", "account": "6299999999999999"}


@dataclass
class Paying(Assistance):
    """Assistance, with what was decided in a test kept beside, to be counted by itself."""

    made: dict[UUID, list[Decided]] = field(default_factory=dict)

    async def case(
        self, name: str, people: Sequence[UUID] = (), division: str = HERE, payee: bool = True
    ) -> UUID:
        id_ = await super().case(name, people, division)
        if payee:
            await self.pay_to(id_)
        return id_

    async def pay_to(self, case: UUID, **other: str) -> None:
        """One proposes an account, another confirms it."""
        asked = await self.ask("PUT", f"/v1/cases/{case}/payee", ACCOUNT | other)
        assert asked.status_code == 202, asked.text
        body = {"change_id": asked.json()["change_id"], "result": "confirmed"}
        settled = await self.ask("POST", f"/v1/cases/{case}/payee/settle", body, person="reviewer-1")
        assert settled.status_code == 204, settled.text

    async def decide(
        self,
        case: UUID,
        kind: str = "grant",
        fen: int = DIBAO,
        first: str = "2026-06",
        programme: str = "dibao",
        last: str | None = None,
    ) -> UUID:
        """A decision; the proceeding's id."""
        told = await self.determined(
            case, kind, programme, amount_fen=fen, first_month=first, last_month=last
        )
        ends = None if last is None else month_number(last)
        decided = Decided(told.decision_id, told.kind, "month", fen, month_number(first), ends)
        self.made.setdefault(told.proceeding_id, []).append(decided)
        return told.proceeding_id

    async def build(
        self, month: str = "2026-06", programme: str = "dibao", number: int = 1
    ) -> dict[str, Any]:
        body = {"programme": programme, "month": month, "number": number}
        answered = await self.ask("POST", "/v1/payments/runs", body)
        assert answered.status_code in (200, 201), answered.text
        return answered.json()

    async def pay(self, month: str = "2026-06", programme: str = "dibao", number: int = 1) -> dict[str, Any]:
        run = await self.build(month, programme, number)
        answered = await self.ask("POST", f"/v1/payments/runs/{run['run_id']}/approve", person="finance-2")
        assert answered.status_code == 200, answered.text
        return answered.json()

    async def lines(self, run: dict[str, Any]) -> list[dict[str, Any]]:
        return (await self.ask("GET", f"/v1/payments/runs/{run['run_id']}/lines?limit=200")).json()["items"]

    async def paid(self, proceeding: UUID) -> int:
        query = "select paid_fen from accounts where proceeding_id = $1"
        return await self.app.writer.fetchval(query, proceeding)

    async def balanced(self, month: int) -> None:
        """The ledger's sum and what is open of it are what the decisions owe, account by account."""
        rows = await self.app.writer.fetch(
            "select proceeding_id, paid_fen, coalesce((select sum(amount_fen) from entries"
            " where entries.proceeding_id = accounts.proceeding_id), 0)::bigint as entered from accounts"
        )
        for row in rows:
            assert row["paid_fen"] == row["entered"]
            due = owed(schedule(self.made[row["proceeding_id"]]), month)
            told = (await self.ask("GET", f"/v1/payments/accounts/{row['proceeding_id']}")).json()
            assert (told["owed_fen"], told["open_fen"]) == (due, due - row["entered"])


@pytest.fixture
async def paying(servers: Servers, database: str, tmp_path: Path) -> AsyncIterator[Paying]:
    async with assistance(servers, database, tmp_path / "dev.key") as service:
        yield Paying(service.app, service.clock, service.client, service.key)


async def test_a_list_is_built_once_and_pays_once(paying: Paying) -> None:
    case = await paying.case("one")
    proceeding = await paying.decide(case)
    first, again = await paying.build(), await paying.build()
    assert first == again
    assert await paying.paid(proceeding) == 0, "a list that nobody approved pays nothing"
    same = await paying.ask("POST", f"/v1/payments/runs/{first['run_id']}/approve", person="finance-1")
    assert same.json()["code"] == "payment.same_person"
    approve = f"/v1/payments/runs/{first['run_id']}/approve"
    both = await asyncio.gather(*(paying.ask("POST", approve, person=f"finance-{n}") for n in (2, 3)))
    assert sorted(answer.status_code for answer in both) == [200, 409]
    assert await paying.paid(proceeding) == DIBAO
    assert (await paying.pay("2026-06", number=2))["paid_lines"] == 0
    await paying.balanced(month_number("2026-06"))


async def test_two_lists_never_pay_the_same_arrear(paying: Paying) -> None:
    proceeding = await paying.decide(await paying.case("arrear"), first="2026-04")
    bodies = [{"programme": "dibao", "month": month} for month in ("2026-05", "2026-06")]
    built = await asyncio.gather(*(paying.ask("POST", "/v1/payments/runs", body) for body in bodies))
    assert sorted(answer.status_code for answer in built) == [201, 409]
    (run,) = [answer.json() for answer in built if answer.status_code == 201]
    await paying.ask("POST", f"/v1/payments/runs/{run['run_id']}/approve", person="finance-2")
    months = month_number(run["month"]) - month_number("2026-04") + 1
    assert await paying.paid(proceeding) == months * DIBAO


async def test_arrears_and_debts_settle_on_the_next_list(paying: Paying) -> None:
    case = await paying.case("adjusted")
    proceeding = await paying.decide(case)
    await paying.pay("2026-06")
    paying.clock.at += timedelta(days=31)
    await paying.decide(case, "adjust", DIBAO - 10_000, "2026-06")
    run = await paying.pay("2026-07")
    (line,) = await paying.lines(run)
    assert (line["regular_fen"], line["arrears_fen"], line["amount_fen"]) == (37_000, -10_000, 27_000)
    paying.clock.at += timedelta(days=31)
    await paying.decide(case, "stop", 0, "2026-07")
    (held,) = await paying.lines(await paying.pay("2026-08"))
    assert (held["held"], held["amount_fen"], held["arrears_fen"]) == ("debt", 0, -37_000)
    await paying.balanced(month_number("2026-08"))
    account = f"/v1/payments/accounts/{proceeding}"
    too_much = await paying.ask("POST", f"{account}/repayments", {"amount_fen": 10**9, "document": "R-1"})
    assert too_much.json()["code"] == "payment.too_much"
    await paying.ask("POST", f"{account}/repayments", {"amount_fen": 37_000, "document": "R-2"})
    assert (await paying.ask("GET", account)).json()["open_fen"] == 0


async def test_what_the_bank_sends_back_is_paid_again(paying: Paying) -> None:
    proceeding = await paying.decide(await paying.case("returned"))
    run = await paying.pay()
    back = {"proceeding_id": str(proceeding), "reason": "account closed"}
    path = f"/v1/payments/runs/{run['run_id']}/returned"
    assert (await paying.ask("POST", path, back)).json()["returned_lines"] == 1
    assert (await paying.ask("POST", path, back)).json()["code"] == "payment.not_paid_here"
    assert await paying.paid(proceeding) == 0
    (line,) = await paying.lines(await paying.pay(number=2))
    assert line["amount_fen"] == DIBAO


async def test_who_may_not_be_paid_now_is_held_with_the_reason(paying: Paying) -> None:
    person = uuid4()
    both = await paying.case("dibao and tekun", (person, uuid4()))
    await paying.decide(both)
    await paying.decide(await paying.case("tekun of one of them", (person,)), programme="tekun")
    await paying.decide(await paying.case("no account", payee=False))
    suspect = await paying.case("suspended")
    await paying.decide(suspect)
    await paying.told(CaseSuspended(**paying.of(suspect)))
    await paying.decide(await paying.case("paid"))
    run = await paying.build()
    await paying.decide(changed := await paying.case("changed later"), first="2026-06")
    reasons = sorted(str(line["held"]) for line in await paying.lines(run))
    assert reasons == ["None", "no_account", "stacking", "suspended"]
    paying.clock.at += timedelta(hours=1)
    await paying.decide(derived_id("test-case", "paid"), "adjust", DIBAO + 1, "2026-06")
    approved = await paying.ask("POST", f"/v1/payments/runs/{run['run_id']}/approve", person="finance-2")
    assert approved.json()["paid_lines"] == 0
    assert sorted(str(line["held"]) for line in await paying.lines(run))[0] == "changed"
    await paying.told(SuspicionCleared(**paying.of(suspect)))
    following = await paying.pay(number=2)
    assert {line["case_id"] for line in await paying.lines(following) if line["held"] is None} == {
        str(derived_id("test-case", "paid")), str(suspect), str(changed),
    }  # fmt: skip


async def test_a_month_that_another_programme_excludes_is_never_paid_later(paying: Paying) -> None:
    """Its dibao stands still while a member is in tekun, and is no arrear when that ends."""
    person = uuid4()
    dibao = await paying.decide(await paying.case("household", (person, uuid4())), first="2026-03")
    other = await paying.case("tekun", (person,))
    await paying.decide(other, programme="tekun", first="2026-04")
    await paying.decide(other, "stop", 0, "2026-06", programme="tekun")
    amounts = {}
    for month in ("2026-03", "2026-04", "2026-05", "2026-06"):
        (line,) = await paying.lines(await paying.pay(month))
        amounts[month] = (line["held"], line["regular_fen"], line["arrears_fen"], line["amount_fen"])
    assert amounts == {
        "2026-03": (None, DIBAO, 0, DIBAO),
        "2026-04": ("stacking", 0, 0, 0),
        "2026-05": ("stacking", 0, 0, 0),
        "2026-06": (None, DIBAO, 0, DIBAO),
    }
    account = (await paying.ask("GET", f"/v1/payments/accounts/{dibao}")).json()
    assert (account["owed_fen"], account["open_fen"]) == (2 * DIBAO, 0)


async def test_what_was_recovered_holds_up_no_arrear_beside_another_aid(paying: Paying) -> None:
    """Only help that is paid once waits; a recovery is entered once, too, and is no help."""
    case = await paying.case("recovered", (uuid4(),))
    await paying.decide(case, first="2026-05")
    month = {"first_month": "2026-05", "last_month": "2026-05"}
    await paying.determined(case, "recover", amount_fen=10_000, per="once", **month)
    await paying.decide(case, programme="tekun", first="2026-06")
    (line,) = await paying.lines(await paying.build("2026-06"))
    assert (line["held"], line["regular_fen"], line["amount_fen"]) == (None, 0, DIBAO - 10_000)


async def test_what_was_paid_for_an_excluded_month_is_a_debt(paying: Paying) -> None:
    person = uuid4()
    case = await paying.case("paid before", (person,))
    dibao = await paying.decide(case, first="2026-05")
    await paying.pay("2026-05")
    await paying.decide(case, programme="tekun", first="2026-05")
    (line,) = await paying.lines(await paying.pay("2026-06"))
    assert (line["held"], line["arrears_fen"], line["amount_fen"]) == ("debt", -DIBAO, 0)
    assert await paying.paid(dibao) == DIBAO


async def test_aid_paid_once_waits_for_the_next_month_beside_another(paying: Paying) -> None:
    case = await paying.case("two aids")
    for programme in ("temporary_small", "temporary_expenditure"):
        await paying.determined(
            case, "grant", programme, per="once", first_month="2026-05", last_month="2026-05"
        )
    (small,) = await paying.lines(await paying.pay("2026-05", "temporary_small"))
    (waits,) = await paying.lines(await paying.pay("2026-05", "temporary_expenditure"))
    (paid,) = await paying.lines(await paying.pay("2026-06", "temporary_expenditure"))
    assert (small["held"], waits["held"], paid["held"]) == (None, "stacking", None)


async def test_a_household_that_is_granted_again_begins_to_be_paid_again(paying: Paying) -> None:
    """L7 of the second grant is met by its own first payment."""
    case = await paying.case("again")
    proceeding = await paying.decide(case, first="2026-04")
    run = await paying.pay("2026-04")
    paying.clock.at += timedelta(days=1)
    await paying.decide(case, "stop", 0, "2026-05")
    await paying.decide(case, "grant", DIBAO, "2026-06")
    for month, again in (("2026-05", []), ("2026-06", [proceeding])):
        run = await paying.build(month)
        row = await paying.app.writer.fetchrow("select * from runs where id = $1", UUID(run["run_id"]))
        async with paying.app.unit.transaction() as tx:
            started = await runs.approve(tx.conn, row, tx.now, "finance/-/-/finance-2")
        assert [each["proceeding_id"] for each in started] == again


async def test_another_role_of_the_same_person_does_not_approve(paying: Paying) -> None:
    await paying.decide(await paying.case("roles"))
    run = await paying.build()
    approve = f"/v1/payments/runs/{run['run_id']}/approve"
    answered = await paying.ask("POST", approve, role="district", person="finance-1")
    assert answered.json()["code"] == "payment.same_person"


async def test_a_case_that_is_handed_over_takes_all_its_accounts_along(paying: Paying) -> None:
    case = await paying.case("moves")
    for programme in ("dibao", "tekun"):
        await paying.decide(case, programme=programme)
    told = paying.of(case, "temporary_small") | {"state": "received"}
    await paying.told(JurisdictionChanged(**told, from_division=HERE, to_division=THERE))
    for table in ("accounts", "enrolments"):
        divisions = await paying.app.writer.fetch(f"select distinct division from {table}")
        assert [row["division"] for row in divisions] == [THERE]


async def test_a_proceeding_that_ends_owes_nothing_from_the_next_month(paying: Paying) -> None:
    case = await paying.case("moves away")
    proceeding = await paying.decide(case)
    await paying.told(ProceedingEnded(**paying.of(case) | {"state": "transferred"}, reason="transferred"))
    await paying.told(ProceedingEnded(**paying.of(uuid4()) | {"state": "withdrawn"}, reason="withdrawn"))
    paying.clock.at += timedelta(days=62)
    await paying.pay("2026-08")
    assert await paying.paid(proceeding) == DIBAO
    assert await paying.app.writer.fetchval("select count(*) from accounts") == 1


async def test_the_banks_file_is_for_those_who_pay_and_only_of_an_approved_list(paying: Paying) -> None:
    await paying.decide(await paying.case("bank"), fen=47_005)
    run = await paying.build()
    path = f"/v1/payments/runs/{run['run_id']}/file"
    assert (await paying.ask("GET", path)).json()["code"] == "payment.not_approved"
    await paying.ask("POST", f"/v1/payments/runs/{run['run_id']}/approve", person="finance-2")
    assert (await paying.ask("GET", path, role="caseworker", division="500112015")).status_code == 403
    table = (await paying.ask("GET", path, role="finance")).content.decode("utf-8-sig").splitlines()
    assert table[0] == "sequence,name,account,amount_yuan,month,programme,reference"
    assert table[1].startswith("1,白小满,6200000000001234,470.05,2026-06,dibao,")
    sheet = load_workbook(BytesIO((await paying.ask("GET", f"{path}?format=xlsx")).content)).active
    assert sheet.cell(2, 3).value == "6200000000001234", "an account is no number"
    logged = await paying.app.writer.fetch(
        "select person, purpose from access_log where what = 'payment-list'"
    )
    assert len(logged) == 2


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"programme": "dibao", "month": "2026-13"}, "month"),
        ({"programme": "dibao", "month": "2026-07"}, "month"),
        ({"programme": "orphanage", "month": "2026-06"}, "programme"),
        ({"programme": "dibao", "month": "2026-06", "number": 0}, "number"),
        ({"programme": "dibao", "month": "2026-06", "day": 1}, "day"),
    ],
)
async def test_a_list_that_cannot_be_gets_a_clear_answer(
    paying: Paying, body: dict[str, Any], field: str
) -> None:
    answered = await paying.ask("POST", "/v1/payments/runs", body)
    assert answered.status_code == 422
    assert field in answered.text
    assert await paying.app.writer.fetchval("select count(*) from runs") == 0


async def test_the_budget_warns_before_a_fund_is_used_up(
    paying: Paying, monkeypatch: pytest.MonkeyPatch
) -> None:
    await paying.decide(await paying.case("budget"), fen=900)
    await paying.pay()
    small = tuple(fund.model_copy(update={"yearly_fen": 1_000}) for fund in packaged().budgets)
    file = packaged().model_copy(update={"budgets": small})
    monkeypatch.setattr("onedoor.assistance.payments.api.packaged", lambda: file)
    told = (await paying.ask("GET", "/v1/payments/budget?year=2026")).json()
    fund = next(fund for fund in told if "dibao" in fund["programmes"])
    assert (fund["spent_fen"], fund["warned"], fund["exceeded"]) == (900, True, False)


async def test_a_childs_household_is_paid_and_stands_in_the_banks_file(paying: Paying) -> None:
    """Its account holds no word of the protection, so that those who pay see it."""
    case = await paying.case("child")
    await paying.app.writer.execute("update cases set classification = 'child' where id = $1", case)
    facts = {"kind": "grant", "reason": "conditions_met", "amount_fen": DIBAO, "rule_version": "1"}
    ids = {"decision_id": uuid4(), "first_month": "2026-06", "child": True}
    await paying.told(Determined.model_validate(paying.of(case) | facts | ids))
    await paying.pay_to(case)
    run = await paying.build()
    approve = f"/v1/payments/runs/{run['run_id']}/approve"
    approved = await paying.ask("POST", approve, role="finance", person="finance-2")
    assert (approved.json()["total_fen"], approved.json()["paid_lines"]) == (DIBAO, 1)
    file = await paying.ask("GET", f"/v1/payments/runs/{run['run_id']}/file", role="finance")
    assert "6200000000001234" in file.text


async def test_a_township_sees_of_a_sealed_case_no_account_and_who_pays_sees_it(paying: Paying) -> None:
    case, other = await paying.case("sealed"), await paying.case("open")
    hidden, shown = await paying.decide(case), await paying.decide(other)
    await paying.pay()
    await paying.app.writer.execute("update cases set sealed = true where id = $1", case)

    async def seen(role: str, division: str | None) -> list[int]:
        paths = (f"/v1/payments/accounts/{each}" for each in (hidden, shown))
        return [(await paying.ask("GET", path, role=role, division=division)).status_code for path in paths]

    assert await seen("caseworker", HERE) == [404, 200]
    assert await seen("finance", None) == [200, 200]


async def test_what_two_people_looked_at_is_what_the_bank_is_told(paying: Paying) -> None:
    """Neither a payee changed before the approval nor one changed after it redirects the money."""
    for name in ("before", "after"):
        await paying.decide(await paying.case(name))
    run = await paying.build()
    paying.clock.at += timedelta(hours=1)
    before, after = (derived_id("test-case", name) for name in ("before", "after"))
    await paying.pay_to(before, **OTHER)
    await paying.ask("POST", f"/v1/payments/runs/{run['run_id']}/approve", person="finance-2")
    await paying.pay_to(after, **OTHER)
    file = (await paying.ask("GET", f"/v1/payments/runs/{run['run_id']}/file")).text
    assert "6299999999999999" not in file
    assert "6200000000001234" in file
    held = {line["case_id"]: line["held"] for line in await paying.lines(run)}
    assert held == {str(before): "changed", str(after): None}


async def test_who_is_suspended_before_the_approval_is_not_paid_whatever_the_times_say(
    paying: Paying,
) -> None:
    case = await paying.case("suspect")
    proceeding = await paying.decide(case)
    run = await paying.build()
    paying.clock.at -= timedelta(seconds=2)
    await paying.told(CaseSuspended(**paying.of(case)))
    await paying.ask("POST", f"/v1/payments/runs/{run['run_id']}/approve", person="finance-2")
    assert await paying.paid(proceeding) == 0


async def test_what_was_given_back_cannot_come_back_from_the_bank_too(paying: Paying) -> None:
    proceeding = await paying.decide(await paying.case("both"))
    run = await paying.pay()
    given = {"amount_fen": DIBAO, "document": "R-1"}
    await paying.ask("POST", f"/v1/payments/accounts/{proceeding}/repayments", given)
    back = {"proceeding_id": str(proceeding), "reason": "account closed"}
    answered = await paying.ask("POST", f"/v1/payments/runs/{run['run_id']}/returned", back)
    assert answered.json()["code"] == "payment.not_paid_here"
    assert await paying.paid(proceeding) == 0


async def test_an_account_is_proposed_by_one_and_confirmed_by_another(paying: Paying) -> None:
    case = await paying.case("payee", payee=False)
    proceeding = await paying.decide(case)
    path = f"/v1/cases/{case}/payee"

    async def settle(change: Any, person: str, role: str = "reviewer", result: str = "confirmed") -> Any:
        body = {"change_id": change["change_id"], "result": result}
        return await paying.ask("POST", f"{path}/settle", body, role, person, HERE)

    nothing = {key: value for key, value in ACCOUNT.items() if key != "document"}
    assert "document" in (await paying.ask("PUT", path, nothing)).text
    assert (await paying.ask("GET", path)).status_code == 404
    await paying.ask("PUT", path, ACCOUNT, person="cw-1")
    first = (await paying.ask("GET", path)).json()["proposed"]
    assert (first["asked_by"].rpartition("/")[2], first["document"]) == ("cw-1", "card copy 7")
    (line,) = await paying.lines(await paying.pay())
    assert line["held"] == "no_account", "what nobody has confirmed is not paid to"
    assert (await settle(first, "cw-1")).json()["code"] == "payment.payee_same_person"
    assert (await settle(first, "cw-2", "caseworker")).status_code == 403
    assert (await settle(first, "rev-1")).status_code == 204
    told = (await paying.ask("GET", path)).json()
    assert (told["known"]["account"], told["proposed"]) == (ACCOUNT["account"], None)
    second = (await paying.ask("PUT", path, ACCOUNT | OTHER, person="rev-1")).json()
    third = (await paying.ask("PUT", path, ACCOUNT | OTHER, person="rev-2")).json()
    assert (await settle(second, "rev-3")).json()["code"] == "payment.payee_settled", "another one waits"
    both = await asyncio.gather(*(settle(third, f"rev-{n}", result="rejected") for n in (3, 4)))
    assert sorted(each.status_code for each in both) == [204, 409]
    (line,) = await paying.lines(await paying.pay(number=2))
    assert line["held"] is None
    assert await paying.paid(proceeding) == DIBAO
    assert (await paying.ask("GET", path)).json()["known"]["account"] == ACCOUNT["account"]
    rows = await paying.app.writer.fetch(
        "select state, asked_by, settled_by from payee_changes where case_id = $1 order by id", case
    )
    people = [
        (row["state"], *(str(row[by]).rpartition("/")[2] for by in ("asked_by", "settled_by")))
        for row in rows
    ]
    assert people[:2] == [("confirmed", "cw-1", "rev-1"), ("replaced", "rev-1", "rev-2")]
    assert people[2][:2] == ("rejected", "rev-2")
