"""The command `nocontent-reporter`: it says what a spool holds and what is wrong with it, and sends it."""

import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from nocontent_reporter import cli, codings, columns, files
from nocontent_reporter.database import Database
from nocontent_reporter.spool import Bounds, Spool
from tests.reporter.processes import SOURCE
from tests.reporter.reported import GOOD, event, reporting
from tests.reporter.scripted import Scripted, problem

NOBODY = "http://127.0.0.1:9"
CANARY = "CANARY the weather"
ROW = {
    "provider": "anthropic",
    "requested_model": "claude-opus-4-5",
    "routed_model": "claude-haiku-4-5",
    "input_tokens": 812,
    "output_tokens": 96,
    "latency_ms": 840,
    "tags": {"team": "search"},
}
BAD_ROWS: dict[str, tuple[object, str]] = {
    "text for a number": ({**ROW, "input_tokens": CANARY}, "/0/input_tokens shape.wrong-type"),
    "too many": ({**ROW, "output_tokens": 10**9}, "/0/output_tokens shape.out-of-range"),
    "a sentence for a term": ({**ROW, "provider": CANARY}, "/0/provider vocabulary.bad-term"),
    "a prompt": ({**ROW, "prompt": CANARY}, "/0/* content.prompt"),
    "an unknown field": ({**ROW, CANARY: 1}, "/0/* shape.unknown-field"),
    "a missing field": ({"provider": "x"}, "/0/requested_model shape.missing-field"),
    "tags that are none": ({**ROW, "tags": CANARY}, "/0/tags shape.wrong-type"),
    "no object": (CANARY, "/0/* shape.wrong-type"),
}


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    """Return a spool with three events that nobody has received."""
    path = tmp_path / "nocontent.spool"
    made = Spool(Database(files.open_file(path)), Bounds(2**30, 2**60))
    made.append([(3, codings.pack(columns.encode([event() for _ in range(3)])))], {}, time.time_ns() // 1_000_000)
    made.database.close()
    return path


def _edit(spool: Path, statement: str) -> None:
    with sqlite3.connect(spool) as db:
        db.executescript(statement)
    db.close()


def test_a_whole_spool_is_well(spool: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = spool.read_bytes()
    assert cli.main(["check", str(spool)]) == cli.WELL
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == f"{spool}: all is well"
    assert sum(int(line.split()[1]) for line in printed[1:3]) == 3
    assert spool.read_bytes() == before


def test_check_works_while_a_reporter_uses_the_spool(
    spool: Path, script: Scripted, capsys: pytest.CaptureFixture[str]
) -> None:
    with reporting(script.url, spool) as reporter:
        reporter.report(event())
        assert reporter.flush(20)
        assert cli.main(["check", str(spool)]) == cli.WELL
        assert "waiting  0 events" in capsys.readouterr().out.splitlines()
        reporter.report(event())
        assert reporter.flush(20)
    assert len(script.stored) == 5


@pytest.mark.parametrize(
    ("break_it", "says"),
    [
        (lambda spool: spool.chmod(0o644), "others than its owner can open it: its mode is 644, not 600"),
        (lambda spool: _edit(spool, "UPDATE batches SET body = x'1f8b'"), "batch 1 is damaged: 3 events"),
        (lambda spool: _edit(spool, "UPDATE batches SET events = 4"), "batch 1 is damaged: 4 events"),
    ],
)
def test_check_finds(
    spool: Path, break_it: Callable[[Path], None], says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    break_it(spool)
    assert cli.main(["check", str(spool)]) == cli.FOUND
    assert f"{spool}: {says}" in capsys.readouterr().out.splitlines()


def _zero_a_page(spool: Path) -> None:
    with spool.open("r+b") as file:
        file.seek(3 * 4096)
        file.write(bytes(4096))


def test_check_finds_a_page_of_zeros(spool: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _zero_a_page(spool)
    assert cli.main(["check", str(spool)]) == cli.FOUND
    assert "damaged" in "".join(capsys.readouterr())


def _make_nothing(path: Path) -> None:
    assert not path.exists()


def _make_text(path: Path) -> None:
    path.write_text(CANARY, "ascii")


def _make_foreign(path: Path) -> None:
    _edit(path, "CREATE TABLE notes (text)")


def _make_newer(path: Path) -> None:
    _edit(path, "PRAGMA application_id = 1852011376; PRAGMA user_version = 9")


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (_make_nothing, "does not exist"),
        (_make_text, "is no spool, or its beginning is damaged"),
        (_make_foreign, "is no spool"),
        (_make_newer, "is of a newer version (9)"),
    ],
)
@pytest.mark.parametrize("command", ["check", "stats"])
def test_what_is_no_spool_is_refused(
    command: str, make: Callable[[Path], None], says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "file"
    make(path)
    assert cli.main([command, str(path)]) == cli.FAILED
    assert capsys.readouterr().err == f"nocontent-reporter: {path} {says}\n"


def test_stats_are_one_json_object(spool: Path, capsys: pytest.CaptureFixture[str]) -> None:
    _edit(spool, "INSERT INTO losses VALUES ('queue_full', 7)")
    assert cli.main(["stats", "--json", str(spool)]) == cli.WELL
    found = json.loads(capsys.readouterr().out)
    assert (found["waiting"] + found["sending"], found["batches"], found["losses"]) == (3, 1, {"queue_full": 7})


def _drain(spool: Path, url: str, folder: Path, *options: str) -> int:
    token = folder / "token"
    token.write_text("nct_test\n", "ascii")
    return cli.main(["drain", str(spool), "--url", url, "--token-file", str(token), *options])


def test_drain_sends_everything(
    spool: Path, script: Scripted, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _drain(spool, script.url, tmp_path) == cli.WELL
    assert len(script.stored) == 3
    assert "left     0 of 3, and 0 parked" in capsys.readouterr().out.splitlines()


def test_drain_gives_up_soon_if_the_token_is_wrong_and_keeps_everything(
    spool: Path, script: Scripted, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    script.script.extend([problem(401, "bad-token")] * 1_000)
    assert _drain(spool, script.url, tmp_path) == cli.FOUND
    printed = capsys.readouterr().out
    assert "left     3 of 3, and 0 parked" in printed.splitlines()
    assert "answers  bad-token" in printed


def test_drain_stops_in_time_if_nobody_answers(spool: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _drain(spool, NOBODY, tmp_path, "--timeout", "0.1") == cli.FOUND
    assert "left     3 of 3" in capsys.readouterr().out


def test_drain_without_a_spool_or_a_server_says_what_is_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["drain", str(tmp_path / "none")]) == cli.FAILED
    assert "NOCONTENT_REPORTER_URL is not set" in capsys.readouterr().err
    assert _drain(tmp_path / "none", NOBODY, tmp_path) == cli.FAILED
    assert "does not exist" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("name", BAD_ROWS)
def test_check_names_the_rule_that_an_event_breaks_and_no_value(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    row, says = BAD_ROWS[name]
    file = tmp_path / "events.json"
    file.write_text(json.dumps([row, ROW]), "utf-8")
    assert cli.main(["check", "--events", str(file)]) == cli.FOUND
    assert capsys.readouterr().out == f"{says}\n"
    file.write_text(json.dumps({"events": [row]}), "utf-8")
    assert cli.main(["check", "--events", str(file)]) == cli.FOUND
    assert capsys.readouterr().out == f"/events{says}\n"


def test_check_finds_a_repeated_name(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "events.json"
    file.write_text(f'[{json.dumps(ROW)[:-1]}, "provider": "openai"}}]', "ascii")
    assert cli.main(["check", "--events", str(file)]) == cli.FOUND
    assert capsys.readouterr().out == "/0/* shape.duplicate-key\n"


@pytest.mark.parametrize(
    ("text", "says"), [("{", "is not JSON"), ("7", "has no list of events"), (None, "cannot be read")]
)
def test_check_says_what_a_file_lacks(
    text: str | None, says: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "events.json"
    if text is not None:
        file.write_text(text, "ascii")
    assert cli.main(["check", "--events", str(file)]) == cli.FAILED
    assert capsys.readouterr().err == f"nocontent-reporter: {file} {says}\n"


def test_check_passes_good_events(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "events.json"
    file.write_text(json.dumps([ROW, {**ROW, "event_id": GOOD.event_id}]), "ascii")
    assert cli.main(["check", "--events", str(file)]) == cli.WELL
    assert capsys.readouterr().out == f"{file}: no event breaks a rule\n"


def test_the_package_runs_as_the_command() -> None:
    shown = subprocess.run(
        [sys.executable, "-m", "nocontent_reporter", "--help"], env={"PYTHONPATH": str(SOURCE)}, capture_output=True,
        check=True, text=True, timeout=30,
    )  # fmt: skip
    assert shown.stdout.startswith("usage: nocontent-reporter")
