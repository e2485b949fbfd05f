"""The logs, readably."""

import json
from pathlib import Path

from onedoor.dev.follow import Logs, readable


def _line(event: str, **facts: object) -> str:
    entry = {"timestamp": "2026-03-03T21:40:00Z", "level": "info", "logger": "x", "service": "intake"}
    return json.dumps({**entry, "event": event, **facts})


def test_json_becomes_one_line_of_facts() -> None:
    text = readable(_line("page published", count=3, topic="intake.alarm", reason="a b"), "intake")
    assert text.split(maxsplit=1)[1] == (
        'intake        INFO    page published count=3 topic=intake.alarm reason="a b"'
    )
    assert text[2] == text[5] == ":"


def test_other_text_keeps_its_words() -> None:
    assert readable("WARN QuorumController: leader", "kafka").split() == [
        "kafka",
        "WARN",
        "QuorumController:",
        "leader",
    ]
    assert readable("17", "kafka").split() == ["kafka", "17"]


def test_new_lines_new_files_and_rotated_files_are_followed(tmp_path: Path) -> None:
    old = tmp_path / "intake.log"
    old.write_text("one\ntwo\n")
    logs = Logs(tmp_path, back=1)

    def seen() -> list[str]:
        return [line.split()[-1] for line in logs.lines()]

    assert seen() == ["two"]
    with old.open("a") as file:
        file.write("three\nfo")
    (tmp_path / "desk.log").write_text("first\n")
    assert sorted(seen()) == ["first", "three"]
    with old.open("a") as file:
        file.write("ur\n")
    assert seen() == ["four"]
    old.rename(tmp_path / "intake.log.1")
    old.write_text("five\n")
    assert seen() == ["five"]


def test_only_named_logs(tmp_path: Path) -> None:
    (tmp_path / "intake.log").write_text("a\n")
    (tmp_path / "desk.log").write_text("b\n")
    assert [line.split()[-1] for line in Logs(tmp_path, ["desk"], back=5).lines()] == ["b"]


def test_only_lines_of_one_trace_in_the_order_of_their_times(tmp_path: Path) -> None:
    def line(second: int, event: str, **facts: object) -> str:
        entry = json.loads(_line(event, **facts)) | {"timestamp": f"2026-03-03T21:40:{second:02}Z"}
        return json.dumps(entry) + "\n"

    one, other = "a" * 32, "b" * 32
    (tmp_path / "intake.log").write_text(
        line(1, "first", trace_id=one)
        + line(2, "other", trace_id=other)
        + line(5, "last", trace_id=one, chain_id="c")
        + f"no JSON {one}\n"
    )
    (tmp_path / "notify.log").write_text(
        line(3, "between", trace_id=one) + line(4, "quotes", cause=one) + line(6, "more", trace_id=other)
    )

    def seen(logs: Logs) -> list[str]:
        return [line.split()[3] for line in logs.lines()]

    assert seen(Logs(tmp_path, back=2, facts={"trace_id": one})) == ["first", "between", "last"]
    assert seen(Logs(tmp_path, back=1, facts={"trace_id": one})) == ["between", "last"]
    assert seen(Logs(tmp_path, back=9, facts={"trace_id": one, "chain_id": "c"})) == ["last"]
    logs = Logs(tmp_path, back=0, facts={"trace_id": one})
    with (tmp_path / "intake.log").open("a") as file:
        file.write(line(7, "late", trace_id=one) + line(8, "never", trace_id=other))
    (tmp_path / "desk.log").write_text(line(6, "new", trace_id=one) + line(9, "nor", trace_id=other))
    assert seen(logs) == ["new", "late"]
