"""Frozen evidence gives the same bytes later, whatever has become of the table of parameters."""

import json
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml

from onedoor.policy import HouseholdProblems, Parameters, decide, packaged_parameters, parse_household
from onedoor.policy.evidence import Evidence, EvidenceProblem, freeze, read_evidence, reproduce, to_bytes
from onedoor.policy.household import read_household
from onedoor.policy.table import canonical, content_hash

HOUSEHOLD: dict[str, Any] = {
    "as_of": "2026-05-20",
    "region": "urban",
    "registered_division": "500112016",
    "rigid_deduction": 12.5,
    "enrolments": [
        {"programme": "dibao", "since": "2025-03-01", "status": "taper", "taper_first_month": "2026-01"}
    ],
    "income_change": "employment",
    "review_decided_on": "2025-12-20",
    "income_12mo": 54000,
    "rigid_costs_12mo": 32400.01,
    "emergency": {
        "kind": "fire",
        "at": "2026-05-19T23:30:00Z",
        "place_division": "500112016",
        "basic_life_in_difficulty": True,
    },
    "charity": {"gap": 60000, "received": 0.01, "consent": True},
    "members": [
        {
            "id": "m1",
            "relation": "head",
            "birth": "1950-05-06",
            "person": "0192f0c1-2345-7abc-8def-0123456789ab",
            "incomes": [{"kind": "wages", "amount": 1259.98, "per": "month"}],
            "supporters": [
                {"relation": "son", "birth": "1980-01-01", "property": "low_income", "tekun": True}
            ],
            "failed_activities": 4,
        },
        {
            "id": "m2",
            "relation": "grandchild",
            "birth": "2012-06-01",
            "dependant": True,
            "student": "compulsory",
            "disability": {"type": "mental", "level": 3},
            "enrolments": [{"programme": "unattended_child", "since": "2025-01-01", "payment": "top_up"}],
            "parents": [
                {"relation": "father", "status": "prison", "since": "2025-01-01", "term_months": 30},
                {"relation": "mother", "status": "lost_contact", "police_report_on": "2026-01-19"},
            ],
            "already_paid": {"dibao": 400},
            "whereabouts": {"status": "home"},
        },
    ],
}


def frozen(table: Parameters | None = None) -> bytes:
    table = table or packaged_parameters()
    household = parse_household(HOUSEHOLD)
    return to_bytes(freeze(household, decide(household, table), table))


def onedoor(*arguments: str) -> subprocess.CompletedProcess[bytes]:
    command = [str(Path(sys.executable).parent / "onedoor"), *arguments]
    return subprocess.run(command, capture_output=True, check=False)


def test_a_decision_is_reproduced_to_the_byte_after_the_table_has_changed(tmp_path: Path) -> None:
    """The old table is given as a file; the command that reproduces knows only the packaged one."""
    case, figures, evidence = tmp_path / "case.yaml", tmp_path / "figures.yaml", tmp_path / "evidence.json"
    case.write_text(yaml.safe_dump(HOUSEHOLD), "utf-8")
    old = packaged_parameters().changed("dibao_standard.urban", date(2026, 5, 1), 901.37)
    figures.write_text(yaml.safe_dump({"parameters": old.rows}), "utf-8")
    decided = onedoor("decide", str(case), "--parameters", str(figures), "--evidence", str(evidence))
    assert decided.returncode == 0, decided.stderr
    today = onedoor("decide", str(case))
    again = onedoor("decide", "--reproduce", str(evidence))
    assert again.returncode == 0, again.stderr
    assert again.stdout == decided.stdout
    assert again.stdout != today.stdout
    assert b"901.37" in again.stdout


def test_the_household_is_read_again_as_it_was() -> None:
    evidence = read_evidence(frozen())
    assert parse_household(evidence.household) == parse_household(HOUSEHOLD)


def test_equal_decisions_freeze_to_equal_bytes() -> None:
    assert frozen() == frozen()


def test_the_evidence_names_rules_and_table_by_their_content() -> None:
    other = packaged_parameters().changed("rigid_ratio", date(2026, 1, 1), 0.5)
    ours, theirs = (json.loads(frozen(table))["decisions"]["rule_version"] for table in (None, other))
    assert ours["rules"] == theirs["rules"]
    assert ours["parameters"] == packaged_parameters().hash
    assert theirs["parameters"] == other.hash != packaged_parameters().hash


@pytest.mark.parametrize(
    ("what", "to"),
    [
        (b"1259.98", b"1259.97"),
        (b'"amount_fen":29252', b'"amount_fen":29253'),
        (b"evidence/1", b"evidence/2"),
    ],
)
def test_changed_evidence_is_refused(what: bytes, to: bytes) -> None:
    assert what in frozen()
    with pytest.raises(EvidenceProblem):
        reproduce(read_evidence(frozen().replace(what, to)))


def test_a_result_that_its_inputs_do_not_give_is_refused() -> None:
    """Sealed anew after a forgery: the computation itself tells."""
    evidence = read_evidence(frozen())
    decisions = json.loads(json.dumps(evidence.decisions))
    decisions["decisions"][0]["outcome"] = "taper"
    with pytest.raises(EvidenceProblem, match="another result"):
        reproduce(evidence.model_copy(update={"decisions": decisions}))


OTHER_RULES = {"version": "0", "rules": "sha256:0"}


def by_other_rules(
    table: Parameters | None = None,
    rules: dict[str, str] = OTHER_RULES,
    reason: dict[str, Any] | None = None,
    **outcome: str,
) -> Evidence:
    """Evidence that a program with other rules froze; what they said of dibao, and of its first reason."""
    evidence = read_evidence(frozen(table))
    decisions = json.loads(json.dumps(evidence.decisions))
    decisions["rule_version"] |= rules
    decisions["decisions"][0] |= outcome
    decisions["decisions"][0]["reasons"][0] |= reason or {}
    unsealed = evidence.model_copy(update={"decisions": decisions})
    seal = content_hash(unsealed.model_dump(mode="json", exclude={"seal"}))
    return read_evidence(to_bytes(unsealed.model_copy(update={"seal": seal})))


def test_rules_that_give_the_same_reproduce_what_earlier_ones_decided() -> None:
    evidence = by_other_rules()
    decisions, reworded = reproduce(evidence)
    assert canonical(decisions.model_dump(mode="json")) == canonical(evidence.decisions)
    assert not reworded


def test_what_is_only_worded_otherwise_now_is_reproduced_in_the_words_of_then(tmp_path: Path) -> None:
    """Also where the table has changed since: the sentences are those that the household was told."""
    old = packaged_parameters().changed("dibao_standard.urban", date(2026, 5, 1), 901.37)
    evidence = by_other_rules(old, reason={"text": "当时的说法。", "change_en": "what was asked then"})
    decisions, reworded = reproduce(evidence)
    assert reworded
    assert canonical(decisions.model_dump(mode="json")) == canonical(evidence.decisions)
    file = tmp_path / "evidence.json"
    file.write_bytes(to_bytes(evidence))
    again = onedoor("decide", "--reproduce", str(file))
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout) == evidence.decisions
    assert "当时的说法。" in again.stdout.decode()
    assert "the sentences are those of that time" in again.stderr.decode()


def test_a_file_that_an_earlier_program_froze_is_reproduced() -> None:
    """Frozen when sentences still called members by their ids. A rule of the law that changes ends this."""
    file = Path(__file__).parent / "data" / "evidence-2026-11-30.json"
    again = onedoor("decide", "--reproduce", str(file))
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout) == json.loads(file.read_bytes())["decisions"]
    assert "m1 1259.98元、m2 0.00元" in again.stdout.decode()
    assert "the sentences are those of that time" in again.stderr.decode()
    assert "户主 1259.98元、孙辈 0.00元" in frozen().decode()


FIGURE = {
    "parameter": "rigid_ratio",
    "value": "0.5",
    "unit": "ratio",
    "since": "2026-01-01",
    "certainty": "assumed",
    "source": "KW",
    "source_zh": "x",
    "source_en": "x",
}


@pytest.mark.parametrize(
    "reason",
    [{"met": False}, {"clause": "57 art. 0"}, {"code": "another"}, {"thresholds": [FIGURE]}],
    ids=str,
)
def test_another_condition_or_figure_is_no_wording(reason: dict[str, Any]) -> None:
    first = read_evidence(frozen()).decisions["decisions"][0]["reasons"][0]
    assert all(first[key] != value for key, value in reason.items())
    with pytest.raises(EvidenceProblem, match="use the program of that time"):
        reproduce(by_other_rules(reason=reason))


def test_the_very_rules_that_decided_say_it_in_the_very_words() -> None:
    with pytest.raises(EvidenceProblem, match="another result"):
        reproduce(by_other_rules(rules={}, reason={"text": "另一种说法。"}))


def test_rules_that_give_something_else_say_so() -> None:
    with pytest.raises(EvidenceProblem, match="use the program of that time"):
        reproduce(by_other_rules(outcome="needs_check"))


def test_evidence_holds_though_its_household_would_be_refused_today() -> None:
    """What is checked when a file is entered grows; what was decided once stays decided."""
    raw = HOUSEHOLD | {"members": [HOUSEHOLD["members"][0], HOUSEHOLD["members"][0]]}
    with pytest.raises(HouseholdProblems):
        parse_household(raw)
    household, table = read_household(raw), packaged_parameters()
    decisions = decide(household, table)
    assert reproduce(read_evidence(to_bytes(freeze(household, decisions, table)))).decisions == decisions


def test_what_is_no_evidence_is_one_sentence_and_a_status(tmp_path: Path) -> None:
    file = tmp_path / "evidence.json"
    file.write_bytes(frozen().replace(b"1259.98", b"1259.97"))
    refused = onedoor("decide", "--reproduce", str(file))
    assert refused.returncode == 2
    assert refused.stdout == b""
    assert "evidence.json: has been changed" in refused.stderr.decode()
    assert onedoor("decide", "--reproduce", str(tmp_path / "none.json")).returncode == 2
