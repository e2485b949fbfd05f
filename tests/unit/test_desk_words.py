"""Every code that a page can meet has a label in both languages, and every event its sentence."""

import re
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from functools import cache
from importlib.resources import files
from io import BytesIO
from typing import get_args

import pytest
import yaml
from babel.messages.pofile import read_po
from jinja2.ext import babel_extract

from onedoor.assistance import domain as assistance
from onedoor.assistance import forms, household_form
from onedoor.assistance.domain import approval, proceeding, programmes
from onedoor.calendar import SHANGHAI, Unit
from onedoor.child_welfare import domain as child_welfare
from onedoor.contracts import case
from onedoor.contracts.core import Urgency
from onedoor.contracts.events.assistance import Kind
from onedoor.contracts.events.intake import PERSON
from onedoor.contracts.referral_rules import FACTS, RULES
from onedoor.contracts.registry import EVENTS
from onedoor.desk import story
from onedoor.desk.pages import clock as clock_page
from onedoor.desk.pages import console, registry, work
from onedoor.desk.words import FOLDER, LOCALES, Words
from onedoor.dev.services import SERVICES
from onedoor.notify.domain import clock, duties, ladder, referral
from onedoor.policy.decisions import OutcomeName, SelfCareName
from onedoor.triage import application
from onedoor.triage.rules import packaged_rules

LANGUAGES = ("zh", "en")
FIELDS = [field for rows in programmes.COMMANDS.values() for row in rows for field in forms.fields_of(row)]
"""Everything that the steps of assistance's workflows ask for."""


def _filed(entries: Iterable[household_form.Entry]) -> Iterable[household_form.Entry]:
    for entry in entries:
        yield entry
        yield from _filed(entry.fields)


FILE = tuple(_filed(household_form.household_form()))
"""Every field of the household's file."""
HAN = re.compile(r"[一-鿿]")
TOLD = [event.type for event in EVENTS if PERSON not in event.topics]


def _reasons() -> Iterable[str]:
    yield from (*referral.RETURN_REASONS, *referral.EXTENSION_REASONS, *referral.REOPENING_REASONS)
    yield from (*referral.REVOCATION_REASONS, *clock.PAUSE_REASONS, *clock.LENGTHENING_REASONS)
    yield from ("withdrawn", referral.ONE_LEVEL_UP)
    for domain in (assistance, child_welfare):
        yield from (reason for reasons in domain.REASONS.values() for reason in reasons)
        yield from (reason for reasons in domain.OUTCOMES.values() for reason in reasons)
    yield from approval.packaged().reasons


def _travelling() -> set[str]:
    """The codes of all facts that a referral may carry."""
    return {code for fact in FACTS.values() for code in fact.json_schema().get("enum", ())}


def _codes() -> Mapping[str, Iterable[str]]:
    rules = packaged_rules()
    return {
        "department": yaml.safe_load(files("onedoor.triage").joinpath("rules.yaml").read_text())[
            "departments"
        ],
        "service": [process.name for process in SERVICES if process.name != "desk"],
        "urgency": get_args(Urgency),
        "channel": get_args(application.Channel),
        "kind": get_args(application.Kind),
        "caller": get_args(application.CallerRole),
        "programme": get_args(application.Programme),
        "rule": RULES,
        "result": sorted(
            {name for row in RULES.values() for each in row.feedback for name in (each.name, *each.codes)}
        ),
        "waits": [row.consent.drafted for row in RULES.values() if row.consent],
        "verb": (*referral.NAMES.values(), *clock_page.VERBS),
        "done": (*referral.NAMES.values(), *clock_page.VERBS),
        "tab": work.TABS,
        "duty": (
            "ack",
            "action",
            "finish",
            *sorted({row.id for row in rules.duties.rows}),
        ),
        "outcome": (*referral.OUTCOMES, *assistance.OUTCOMES, *child_welfare.OUTCOMES),
        "reason": sorted(set(_reasons())),
        "function": sorted(ladder.functions()),
        "source": get_args(duties.Source),
        "certainty": get_args(duties.Certainty),
        "unit": tuple(Unit),
        "state": (*get_args(referral.State), *get_args(clock.State)),
        "case": get_args(case.CaseState),
        "lead": (*registry.LEADS, *sorted({code for codes in registry.LEADS.values() for code in codes})),
        "proceeding": proceeding.STATES,
        "step": programmes.COMMANDS,
        "asked": {field.name for field in FIELDS},
        "choice": {code for field in FIELDS if field.kind == "choice" for code in field.allowed or ()},
        "paper": {code for field in FIELDS if field.kind == "choices" for code in field.allowed or ()},
        "file": {"household", *(entry.label for entry in FILE)},
        "filed": {f"{entry.name}.{code}" for entry in FILE for code in entry.allowed},
        "decision": get_args(Kind),
        "rules": get_args(OutcomeName),
        "care": get_args(SelfCareName),
        "event": TOLD,
        "danger": console.DANGERS,
        "need": console.NEEDS,
        "fact": (*application.Facts.model_fields, *FACTS),
        "value": sorted({code for codes in application.CHOICES.values() for code in codes} | _travelling()),
    }


@cache
def _catalogue(language: str) -> frozenset[tuple[str, str]]:
    """What the committed catalogue translates: (list, code)."""
    with (FOLDER / LOCALES[language] / "desk.po").open("rb") as file:
        entries = [entry for entry in read_po(file) if entry.string and entry.context]
        return frozenset((str(entry.context), str(entry.id)) for entry in entries)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("list_", _codes())
def test_every_code_has_a_label(list_: str, language: str) -> None:
    lacking = [code for code in _codes()[list_] if (list_, code) not in _catalogue(language)]
    assert lacking == [], f"a msgid per code, msgctxt {list_}, in locale/{LOCALES[language]}/desk.po"
    if language == "zh":
        assert [code for code in _codes()[list_] if not HAN.search(Words("zh").label(list_, code))] == []


def test_every_text_of_a_template_is_said_in_chinese() -> None:
    with (FOLDER / LOCALES["zh"] / "desk.po").open("rb") as file:
        said = {entry.id for entry in read_po(file) if entry.string and not entry.context}
    templates = sorted(path for path in (FOLDER.parent / "templates").rglob("*") if path.is_file())
    found = [
        text
        for path in templates
        for *_, text, _ in babel_extract(BytesIO(path.read_bytes()), ("_",), (), {})
    ]
    texts = {text[0] if isinstance(text, tuple) else text for text in found} - {None}
    assert len(texts) > 100
    assert texts - said == set()


def test_both_languages_say_the_same_things() -> None:
    assert _catalogue("zh") ^ _catalogue("en") == frozenset()


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("type_", TOLD)
def test_every_event_has_a_sentence_that_stands_without_any_fact(type_: str, language: str) -> None:
    said = Words(language).sentence(type_, {})
    assert said != type_
    assert "{" not in said
    assert not re.search(r"「」|（）|\(\)|  | [,:)]", said)


def test_a_limit_of_no_referral_is_told_without_the_marks_of_one() -> None:
    told = {"owner": "区民政局", "duty": "低保全程", "due_at": "1月20日 24:00"}
    assert Words("zh").sentence("clock.warned", told) == "区民政局低保全程时限即将届满，1月20日 24:00 到期"
    told = {"owner": "civil affairs", "duty": "dibao as a whole", "due_at": "20 Jan 24:00"}
    said = "civil affairs is overdue: dibao as a whole (due 20 Jan 24:00)"
    assert Words("en").sentence("clock.breached", told) == said


def test_a_limit_that_a_notice_leaves_where_it_was_is_not_told_as_moved() -> None:
    row = {"type": "clock.recomputed", "rule": None, "department": "civil-affairs", "service": "notify"}
    now = datetime(2026, 12, 28, 9, tzinfo=SHANGHAI)
    facts = {"duty": "L5", "due_at": "2027-02-02T16:00:00Z", "notice": "通知（1号）"}
    still = story.sentence(row, facts | {"previous_due_at": facts["due_at"]}, Words("zh"), now)
    assert still == "按新公布的放假安排重算区民政局低保全程时限：仍为 2027年2月2日 24:00（通知（1号））"
    moved = story.sentence(row, facts | {"previous_due_at": "2027-02-01T16:00:00Z"}, Words("zh"), now)
    assert moved.endswith("由 2027年2月1日 24:00 改为 2027年2月2日 24:00（通知（1号））")


def test_marks_of_punctuation_are_those_of_the_language() -> None:
    assert "".join(Words("zh").mark(mark) for mark in "：、") == "：、"
    assert Words("en").labels("urgency", ["critical", "urgent"]) == "critical, urgent"
    assert Words("en").mark("：") == ": "


def test_an_unknown_code_stands_for_itself_and_nothing_for_nothing() -> None:
    for language in LANGUAGES:
        assert Words(language).label("department", "brand-new-office") == "brand-new-office"
        assert Words(language).label("department", None) == ""
    assert Words("tlh").language == "zh"


def test_a_limit_at_midnight_is_said_as_the_end_of_the_day_before() -> None:
    midnight = datetime(2026, 10, 10, tzinfo=SHANGHAI)
    assert Words("zh").deadline(midnight) == "10月9日 24:00"
    assert Words("en").deadline(midnight) == "9 Oct 24:00"


@pytest.mark.parametrize(
    ("minutes", "zh", "en"),
    [
        (0, "0 分钟", "0 min"),
        (59, "59 分钟", "59 min"),
        (61, "1 小时 1 分", "1 h 1 min"),
        (1500, "1 天 1 小时", "1 d 1 h"),
    ],
)
def test_a_span_is_said_in_its_two_greatest_units(minutes: int, zh: str, en: str) -> None:
    assert Words("zh").span(timedelta(minutes=minutes)) == zh
    assert Words("en").span(timedelta(minutes=minutes)) == en
