"""Duty rosters: who is on duty where and when, and by which ways each can be reached.

A roster comes as CSV or YAML and is taken whole or not at all. Where nobody is on duty that is a gap, and it
is said: on the roster's page, with the notice, and in the logs.
"""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any
from urllib.parse import urlsplit
from uuid import UUID

import asyncpg
import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from standardwebhooks.webhooks import EmptyWebhookSecretError, Webhook
from uuid_utils.compat import uuid7

from onedoor.calendar import CalendarProblem, moment
from onedoor.contracts.core import PERSONAL
from onedoor.notify.telling.addresses import ONE_MAILBOX
from onedoor.notify.telling.notices import BUREAU, HOTLINE, OPERATIONS
from onedoor.runtime.problems import FieldFault, FieldProblem, field_problem
from onedoor.runtime.service import Connection
from onedoor.triage.rules import packaged_rules

FUNCTIONS = ("handler", "duty-person", "unit-head", "coordinating-bureau", "leadership")
CHANNELS = ("email", "sms", "wecom", "dingtalk", "webhook")
LONGEST_SHIFT = timedelta(days=366)
MOST_SHIFTS = 5_000

ALWAYS: tuple[tuple[str, str], ...] = (
    (HOTLINE, "duty-person"),
    (OPERATIONS, "duty-person"),
    (BUREAU, "coordinating-bureau"),
    (BUREAU, "leadership"),
)
"""Where somebody has to be on duty whatever departments have rosters."""
OF_DEPARTMENTS = ("duty-person", "unit-head")


def departments() -> frozenset[str]:
    """Every department that may have a roster."""
    return packaged_rules().departments | {OPERATIONS, HOTLINE}


class Faulty(ValueError):
    """A roster that cannot be taken, with what is wrong where."""

    def __init__(self, errors: Sequence[FieldProblem]) -> None:
        super().__init__("faulty roster")
        self.errors = list(errors)


class Contact(BaseModel):
    """Somebody who can be told: their id as they sign in, their name, an address for each way."""

    model_config = ConfigDict(frozen=True, extra="forbid", str_strip_whitespace=True)

    person: str = Field(min_length=1, max_length=60, pattern=r"^[A-Za-z0-9._:-]+$")
    name: Annotated[str, PERSONAL] = Field(min_length=1, max_length=60)
    email: Annotated[str | None, PERSONAL] = Field(default=None, max_length=200, pattern=ONE_MAILBOX)
    sms: Annotated[str | None, PERSONAL] = Field(default=None, pattern=r"^\+?[0-9]{5,15}$")
    wecom: Annotated[str | None, PERSONAL] = Field(default=None, max_length=200, pattern=r"^[A-Za-z0-9_-]+$")
    dingtalk: Annotated[str | None, PERSONAL] = Field(default=None, max_length=200, pattern=r"^[A-Za-z0-9]+$")
    webhook: str | None = Field(default=None, max_length=500)
    secret: str | None = Field(default=None, max_length=200, description="whsec_… of the webhook")

    @field_validator("webhook")
    @classmethod
    def _address(cls, url: str | None) -> str | None:
        if url is not None and (urlsplit(url).scheme not in ("http", "https") or not urlsplit(url).hostname):
            raise FieldFault(
                "is no address of a web server",
                "Give an http or https address.",
                "不是网络地址",
                "请填写 http 或 https 地址。",
            )
        return url

    @model_validator(mode="after")
    def _signed(self) -> "Contact":
        if (self.webhook is None) != (self.secret is None):
            raise FieldFault(
                "has a webhook without its secret, or a secret without its webhook",
                "Give both or neither.",
                "系统推送地址与密钥须同时填写",
                "请同时填写或同时留空。",
            )
        if self.secret is not None:
            _key(self.secret)
        return self

    def ways(self) -> list[tuple[str, str, str | None]]:
        """Channel, address and secret of each way."""
        return [
            (channel, address, self.secret if channel == "webhook" else None)
            for channel in CHANNELS
            if (address := getattr(self, channel)) is not None
        ]


def _key(secret: str) -> None:
    try:
        Webhook(secret)
    except (EmptyWebhookSecretError, RuntimeError, ValueError):
        raise FieldFault(
            "has a secret that is none",
            "Give whsec_ and the key in base64.",
            "密钥格式不正确",
            "请填写 whsec_ 开头的 Base64 密钥。",
        ) from None


class Shift(BaseModel):
    """Somebody is on duty from a moment until another (Asia/Shanghai where no offset is given)."""

    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, str_strip_whitespace=True)

    department: str
    division: str | None = Field(default=None, pattern=r"^[0-9]{9}$")
    function: str
    person: str = Field(min_length=1, max_length=60)
    starts_at: datetime = Field(alias="from")
    ends_at: datetime = Field(alias="to")

    @field_validator("starts_at", "ends_at", mode="before")
    @classmethod
    def _moment(cls, value: object) -> datetime:
        try:
            return moment(value)
        except CalendarProblem as problem:
            raise FieldFault(
                "is not a moment",
                f"{problem.remedy.capitalize()}.",
                "不是有效的日期或时间",
                "请写作 2026-09-18 08:00。",
            ) from None

    @field_validator("department")
    @classmethod
    def _known(cls, code: str) -> str:
        if code not in departments():
            raise FieldFault(
                "is not a department's code",
                "Use one of the codes.",
                "没有这个部门代码",
                "请使用规定的部门代码。",
                sorted(departments()),
            )
        return code

    @field_validator("function")
    @classmethod
    def _function(cls, code: str) -> str:
        if code not in FUNCTIONS:
            raise FieldFault(
                "is no function of a roster",
                f"Use one of {', '.join(FUNCTIONS)}.",
                "没有这个岗位",
                f"请使用：{'、'.join(FUNCTIONS)}。",
                FUNCTIONS,
            )
        return code

    @model_validator(mode="after")
    def _forwards(self) -> "Shift":
        if not timedelta() < self.ends_at - self.starts_at <= LONGEST_SHIFT:
            raise FieldFault(
                "ends before it starts, or more than a year later",
                "Correct from and to.",
                "结束早于开始，或时长超过一年",
                "请更正起止时间。",
            )
        return self


class Roster(BaseModel):
    """What one file says."""

    people: tuple[Contact, ...]
    shifts: tuple[Shift, ...]


def parse(text: str, kind: str) -> Roster:
    """The roster in the text of a file, `csv` or `yaml`. Raises Faulty."""
    rows = _from_csv(text) if kind == "csv" else _from_yaml(text)
    people, shifts, errors = {}, [], []
    for where, model, fields in rows:
        try:
            made = model.model_validate(
                {key: value for key, value in fields.items() if value not in (None, "")}
            )
        except ValidationError as error:
            errors += [_problem(where, each) for each in error.errors(include_input=False, include_url=False)]
            continue
        if isinstance(made, Contact):
            people[made.person] = made
        else:
            shifts.append(made)
    if not rows:
        errors.append(
            _said("file", "names nobody", "Add people and shifts.", "没有任何内容", "请填写人员和班次。")
        )
    if len(shifts) > MOST_SHIFTS:
        errors.append(_said("file", "is too long", f"At most {MOST_SHIFTS} shifts.", "过长", "请分批导入。"))
    errors += _doubled(shifts)
    if errors:
        raise Faulty(errors)
    return Roster(people=tuple(people.values()), shifts=tuple(shifts))


Rows = list[tuple[str, type[Contact] | type[Shift], Mapping[str, Any]]]
_OF_SHIFT = ("department", "division", "function", "person", "from", "to")
_OF_CONTACT = ("person", "name", *CHANNELS, "secret")


def _from_csv(text: str) -> Rows:
    """One line per shift; a line with a name also says how the person is reached."""
    reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff")))
    unknown = sorted(set(reader.fieldnames or ()) - {*_OF_SHIFT, *_OF_CONTACT})
    missing = sorted({"department", "function", "person", "from", "to"} - set(reader.fieldnames or ()))
    if unknown or missing:
        what = ", ".join(map(str, unknown or missing))
        raise Faulty(
            [
                _said(
                    "line 1",
                    f"{'has unknown' if unknown else 'lacks the'} columns: {what[:200]}",
                    f"Use the columns {', '.join((*_OF_SHIFT, 'name', *CHANNELS, 'secret'))}.",
                    f"{'含有未知' if unknown else '缺少'}列：{what[:200]}",
                    "请使用规定的列名。",
                )
            ]
        )
    rows: Rows = []
    for row in reader:
        where = f"line {reader.line_num}"
        rows.append((where, Shift, {name: row.get(name) for name in _OF_SHIFT}))
        if row.get("name"):
            rows.append((where, Contact, {name: row.get(name) for name in _OF_CONTACT}))
    return rows


def _from_yaml(text: str) -> Rows:
    try:
        raw = yaml.safe_load(text)
    except yaml.YAMLError:
        raw = None
    if not isinstance(raw, dict) or not set(raw) <= {"people", "shifts"}:
        raise Faulty(
            [
                _said(
                    "file",
                    "is not a roster",
                    "Write YAML with the lists people and shifts.",
                    "不是值班表",
                    "请按 people、shifts 两个列表填写 YAML。",
                )
            ]
        )
    rows: Rows = []
    for name, model in (("people", Contact), ("shifts", Shift)):
        for number, fields in enumerate(raw.get(name) or (), 1):
            given = fields if isinstance(fields, dict) else {}
            rows.append((f"{name} {number}", model, {str(key): value for key, value in given.items()}))
    return rows


def _problem(where: str, error: Any) -> FieldProblem:
    said = field_problem(error)
    return said.model_copy(update={"field": f"{where}, {said.field}" if said.field else where})


def _said(field: str, problem: str, remedy: str, problem_zh: str, remedy_zh: str) -> FieldProblem:
    return FieldProblem(
        field=field, problem=problem, remedy=remedy, problem_zh=problem_zh, remedy_zh=remedy_zh
    )


def _doubled(shifts: Iterable[Shift]) -> list[FieldProblem]:
    """One person twice at the same time in the same function is a slip."""
    problems: list[FieldProblem] = []
    before: dict[tuple[str, str | None, str, str], datetime] = {}
    for shift in sorted(shifts, key=lambda shift: shift.starts_at):
        key = (shift.department, shift.division, shift.function, shift.person)
        if key in before and shift.starts_at < before[key]:
            problems.append(
                _said(
                    f"{shift.department}, {shift.function}, {shift.starts_at:%Y-%m-%d %H:%M}",
                    "overlaps another shift of the same person",
                    "Let one end before the other begins.",
                    "与同一人员的另一班次重叠",
                    "请调整起止时间。",
                )
            )
        before[key] = max(shift.ends_at, before.get(key, shift.ends_at))
    return problems


_PUT_CONTACTS = """
insert into contacts (person, name) select * from unnest($1::text[], $2::text[])
on conflict (person) do update set name = excluded.name
"""
_DROP_ADDRESSES = "delete from addresses where person = any($1::text[])"
_PUT_ADDRESSES = """
insert into addresses (person, channel, address, secret)
select * from unnest($1::text[], $2::text[], $3::text[], $4::text[])
"""
_CLEAR = """
delete from shifts where department = $1 and division is not distinct from $2
  and starts_at < $4 and ends_at > $3
"""
_PUT_SHIFTS = """
insert into shifts (id, department, division, function, person, starts_at, ends_at)
select * from unnest($1::uuid[], $2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[],
                     $7::timestamptz[])
"""


async def take(conn: Connection, roster: Roster) -> None:
    """Put the roster into force: it replaces its units' shifts of the time that it covers. Raises Faulty."""
    await put_contacts(conn, roster.people)
    known = {row["person"] for row in await conn.fetch("select person from contacts")}
    if unknown := sorted({shift.person for shift in roster.shifts} - known):
        raise Faulty(
            [
                _said(
                    f"person {person[:60]}",
                    "is not known",
                    "Give their name in the file once.",
                    "人员未登记",
                    "请在文件中填写其姓名。",
                )
                for person in unknown[:20]
            ]
        )
    units = {(shift.department, shift.division) for shift in roster.shifts}
    for department, division in sorted(units, key=str):
        own = [s for s in roster.shifts if (s.department, s.division) == (department, division)]
        span = min(shift.starts_at for shift in own), max(shift.ends_at for shift in own)
        await conn.execute(_CLEAR, department, division, *span)
    await add(conn, roster.shifts)


async def put_contacts(conn: Connection, people: Sequence[Contact]) -> None:
    """These people can be reached by exactly these ways from now on."""
    if not people:
        return
    ids = [contact.person for contact in people]
    await conn.execute(_PUT_CONTACTS, ids, [contact.name for contact in people])
    await conn.execute(_DROP_ADDRESSES, ids)
    ways = [(contact.person, *way) for contact in people for way in contact.ways()]
    if ways:
        await conn.execute(_PUT_ADDRESSES, *map(list, zip(*ways, strict=True)))


async def add(conn: Connection, shifts: Sequence[Shift]) -> list[UUID]:
    """Write shifts; their ids."""
    ids = [uuid7() for _ in shifts]
    rows = [
        (id_, s.department, s.division, s.function, s.person, s.starts_at, s.ends_at)
        for id_, s in zip(ids, shifts, strict=True)
    ]
    if rows:
        await conn.execute(_PUT_SHIFTS, *map(list, zip(*rows, strict=True)))
    return ids


_SHIFTS = """
select s.id, s.department, s.division, s.function, s.person, c.name, s.starts_at, s.ends_at,
       (select coalesce(array_agg(a.channel order by a.channel), '{}') from addresses a
        where a.person = s.person) as ways
from shifts s join contacts c using (person)
where s.starts_at < $2 and s.ends_at > $1 and ($3::text is null or s.department = $3)
order by s.department, s.division nulls first, s.function, s.starts_at, s.id
"""
_CONTACTS = """
select c.person, c.name, (select coalesce(array_agg(a.channel order by a.channel), '{}')
                          from addresses a where a.person = c.person) as ways
from contacts c order by c.person
"""


async def shifts_between(
    conn: Connection, start: datetime, end: datetime, department: str | None = None
) -> Sequence[asyncpg.Record]:
    """Shifts that touch this time, with name and ways of the person."""
    return await conn.fetch(_SHIFTS, start, end, department)


async def contacts(conn: Connection) -> Sequence[asyncpg.Record]:
    """Everybody who can be told: person, name and by which ways, without the addresses."""
    return await conn.fetch(_CONTACTS)


async def remove(conn: Connection, shift_id: UUID) -> bool:
    """Take a shift out; False: there is none."""
    done = await conn.execute("delete from shifts where id = $1", shift_id)
    return bool(done.endswith(" 1"))


class Gap(BaseModel):
    """Nobody is on duty there in that time."""

    department: str
    function: str
    starts_at: datetime
    ends_at: datetime


def gaps(rows: Sequence[Mapping[str, Any]], start: datetime, end: datetime) -> list[Gap]:
    """Where nobody of the whole unit is on duty between two moments; of departments that have a roster.

    A shift for one division covers that division only, so it closes no gap of the department.
    """
    named = {row["department"] for row in rows} - {HOTLINE, OPERATIONS}
    wanted = {*ALWAYS, *((department, function) for department in named for function in OF_DEPARTMENTS)}
    found: list[Gap] = []
    for department, function in sorted(wanted):
        own = sorted(
            (row["starts_at"], row["ends_at"])
            for row in rows
            if (row["department"], row["function"], row["division"]) == (department, function, None)
        )
        at = start
        for begins, ends in own:
            if begins > at:
                found.append(Gap(department=department, function=function, starts_at=at, ends_at=begins))
            at = max(at, ends)
        if at < end:
            found.append(Gap(department=department, function=function, starts_at=at, ends_at=end))
    return found


class OnDuty(BaseModel):
    """Somebody who is on duty now, and the ways to them."""

    person: str
    name: str
    department: str
    division: str | None
    function: str
    ways: tuple[str, ...]


_ON_DUTY = """
select s.person, c.name, s.department, s.division, s.function,
       (select coalesce(array_agg(a.channel order by a.channel), '{}') from addresses a
        where a.person = s.person) as ways
from shifts s join contacts c using (person)
where s.starts_at <= $1 and s.ends_at > $1
order by s.department, s.function, s.person
"""


async def on_duty(conn: Connection, at: datetime) -> list[OnDuty]:
    """Everybody on duty at a moment."""
    return [OnDuty(**dict(row)) for row in await conn.fetch(_ON_DUTY, at)]
