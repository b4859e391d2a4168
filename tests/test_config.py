"""Settings: read once, unknown names refused, secrets from files, and never printed."""

from pathlib import Path

import pytest

from ingest import config
from ingest.__main__ import main
from ingest.cli import processes
from ingest.errors import CannotStart
from ingest.intake.settings import IntakeSettings
from ingest.serving.settings import ServingSettings

_SECRET = "hunter2correcthorse"
_DSN = f"postgresql://ingest:{_SECRET}@db.example/nocontent"


@pytest.mark.parametrize("name", ["NOCONTENT_DNS", "NOCONTENT_", "NOCONTENT_bind_", "NOCONTENT_BIND_FILE"])
def test_an_unknown_name_is_refused_by_name_and_without_its_value(name: str) -> None:
    with pytest.raises(CannotStart, match=name) as refused:
        processes.load({name: _SECRET})
    assert _SECRET not in str(refused.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WORKERS", "many"), ("WORKERS", "0"), ("WORKERS", "65"), ("BIND", "here"), ("BIND", "a b:80"),
        ("BIND", "x:1234567"),
        ("RETENTION_DAYS", "0"), ("RETENTION_DAYS", "401"), ("MAINTAIN", "perhaps"), ("WRITER_CONNECTIONS", "1.5"),
    ],
)  # fmt: skip
def test_a_bad_value_is_refused_with_what_it_must_be(name: str, value: str) -> None:
    with pytest.raises(CannotStart, match=f"NOCONTENT_{name} must be: "):
        processes.load({f"NOCONTENT_{name}": value})


def test_what_is_not_ours_is_not_looked_at() -> None:
    assert processes.load({"PATH": "/bin", "PGPASSWORD": _SECRET, "nocontent_dsn": "x"}) == processes.Settings()


def test_values_get_their_types() -> None:
    loaded = processes.load({"NOCONTENT_WORKERS": "3", "NOCONTENT_MAINTAIN": "false", "NOCONTENT_BIND": "0.0.0.0:80"})
    assert (loaded.workers, loaded.maintain, loaded.bind) == (3, False, "0.0.0.0:80")


def test_the_dsn_may_stand_in_a_file(tmp_path: Path) -> None:
    (tmp_path / "dsn").write_text(_DSN + "\n")
    assert processes.load({"NOCONTENT_DSN_FILE": str(tmp_path / "dsn")}).dsn == _DSN


def test_a_file_that_is_not_there_is_told_by_the_variables_name(tmp_path: Path) -> None:
    with pytest.raises(CannotStart, match="NOCONTENT_DSN_FILE"):
        processes.load({"NOCONTENT_DSN_FILE": str(tmp_path / "nothing")})


def test_both_a_dsn_and_its_file_are_one_too_many(tmp_path: Path) -> None:
    (tmp_path / "dsn").write_text(_DSN)
    with pytest.raises(CannotStart, match="both"):
        processes.load({"NOCONTENT_DSN": _DSN, "NOCONTENT_DSN_FILE": str(tmp_path / "dsn")})


@pytest.mark.parametrize(("given", "missing"), [("CERT", "KEY"), ("KEY", "CERT")])
def test_a_certificate_and_its_key_go_together(given: str, missing: str) -> None:
    with pytest.raises(CannotStart, match=f"NOCONTENT_TLS_{missing}_FILE must be"):
        processes.load({f"NOCONTENT_TLS_{given}_FILE": "/tls/file"})


@pytest.mark.parametrize(
    "dsn",
    [
        _DSN,
        f"postgresql://db.example/nocontent?user=ingest&password={_SECRET}",
        f"host=db.example user=ingest password={_SECRET}",
        f"postgres://ingest:{_SECRET}@a:1,b:2/nocontent?sslmode=require",
    ],
)
def test_a_password_is_covered_however_it_is_written(dsn: str) -> None:
    shown = str(config.masked(processes.load({"NOCONTENT_DSN": dsn})))
    assert _SECRET not in shown
    assert "****" in shown


def test_the_settings_in_force_are_printed_masked(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NOCONTENT_DSN", _DSN)
    monkeypatch.setenv("NOCONTENT_WORKERS", "3")
    assert main(["serve", "--print-config"]) == 0
    said = capsys.readouterr().out
    assert _SECRET not in said
    assert "NOCONTENT_DSN=postgresql://ingest:****@db.example/nocontent\n" in said
    assert "NOCONTENT_WORKERS=3\n" in said


def test_an_unknown_setting_stops_a_command_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("NOCONTENT_PROMPT", _SECRET)
    assert main(["serve"]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert "NOCONTENT_PROMPT" in said
    assert _SECRET not in said


def test_without_a_database_the_way_to_one_is_told(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("NOCONTENT_DSN", raising=False)
    assert main(["serve"]) == 2
    assert "NOCONTENT_DSN" in capsys.readouterr().err


def test_a_room_reads_its_own_settings_and_leaves_those_of_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOCONTENT_DSN", _DSN)
    monkeypatch.setenv("NOCONTENT_WORKERS", "many")
    assert config.load_own(IntakeSettings) == IntakeSettings(dsn=_DSN)
    monkeypatch.setenv("NOCONTENT_WRITER_CONNECTIONS", "many")
    with pytest.raises(CannotStart, match="NOCONTENT_WRITER_CONNECTIONS must be: "):
        config.load_own(IntakeSettings)


def test_a_process_without_a_database_has_no_setting_for_one() -> None:
    """Nor does it read a file that might name one."""
    with pytest.raises(CannotStart, match="NOCONTENT_DSN_FILE is not a setting") as refused:
        config.load(ServingSettings, {"NOCONTENT_DSN_FILE": "/nothing"})
    assert "NOCONTENT_DSN," not in str(refused.value)
