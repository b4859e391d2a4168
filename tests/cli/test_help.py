"""Every command has help, and a mistake is answered with one helpful line."""

import re
import subprocess
import sys
from importlib import import_module

import pytest

from ingest.__main__ import FAMILIES, main
from ingest.cli import processes
from ingest.cli.arguments import Parser
from ingest.gateway.settings import ProcessSettings
from ingest.intake.openapi import VERSION
from tests.support.service import ROOT

_COMMANDS = (
    "serve", "migrate", "maintain", "jobs", "check", "demo", "tenant", "tenant add", "tenant list", "tenant mode",
    "tenant quota", "tenant diagnostics", "tenant disable", "tenant enable",
    "token", "token issue", "token rotate", "token revoke",
    "token list", "reader", "reader add", "reader remove", "reader list",
    "usage", "access", "annotate", "export", "tenant rename",
    "vocabulary", "vocabulary add", "vocabulary remove", "vocabulary import", "vocabulary list", "tags", "tags declare",
    "prices", "prices show", "prices list", "prices set", "prices end", "prices remove", "prices import",
    "prices check", "prices unpriced",
    "plan", "plan add", "plan change", "plan list", "plan assign", "plan end", "plan show",
    "budget", "budget add", "budget list", "budget show", "budget end",
    "route", "route mode", "route set", "route unset", "route allow", "route disallow", "route list", "route suggest",
    "route explain",
    "webhook", "webhook add", "webhook list", "webhook secret", "webhook test", "webhook end",
    "mail", "mail list", "mail show", "mail preview", "mail bounced",
    "legal", "legal list", "legal check", "legal show", "legal lock", "legal security-txt", "legal acceptances",
    "insights", "insights release", "insights show", "insights ledger", "insights exclude", "insights include",
    "insights excluded", "site", "account", "account invite", "account reset", "account keygen",
    "gateway", "gateway keygen",
    "erase", "erase tenant", "erase range", "erase tag", "erase events", "erase stream", "erase list", "erase show",
    "erase wait",
    "receipt", "receipt keygen", "receipt keys", "receipt verify", "receipt show",
    "invoice", "invoice draft", "invoice list", "invoice show", "invoice finalize", "invoice credit", "invoice correct",
)  # fmt: skip


@pytest.mark.parametrize("command", ["", *_COMMANDS])
def test_a_command_says_what_it_does(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main([*command.split(), "--help"])
    said = capsys.readouterr().out
    assert ended.value.code == 0
    assert said.startswith("usage: nocontent")
    assert len(said.splitlines()) > 5


def test_the_help_of_the_whole_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--help"])
    said = capsys.readouterr().out
    assert all(command in said for command in _COMMANDS if " " not in command)


def test_the_help_of_serve_names_every_setting(capsys: pytest.CaptureFixture[str]) -> None:
    from ingest import config  # noqa: PLC0415 (one test's)

    with pytest.raises(SystemExit):
        main(["serve", "--help"])
    said = capsys.readouterr().out
    assert all(name in said for name, _, _ in config.describe(processes.Settings))


def test_the_help_of_a_gateway_names_its_own_settings_and_says_that_it_has_no_database(
    capsys: pytest.CaptureFixture[str],
) -> None:
    from ingest import config  # noqa: PLC0415 (one test's)

    with pytest.raises(SystemExit):
        main(["gateway", "--help"])
    said = capsys.readouterr().out
    named = set(re.findall(r"^  (NOCONTENT_[A-Z_]+) ", said, re.MULTILINE))
    assert named == {name for name, _, _ in config.describe(ProcessSettings)}
    assert "NOCONTENT_DSN and NOCONTENT_DSN_FILE must not be set" in said


@pytest.mark.parametrize("family", FAMILIES)
def test_each_command_is_found_in_its_family(family: str) -> None:
    commands = Parser().add_subparsers()
    import_module(f"ingest.cli.{family}").add(commands)
    assert tuple(commands.choices) == FAMILIES[family]


def test_a_command_of_an_operator_imports_no_http_server() -> None:
    asked = (
        "import sys; from ingest.__main__ import main\n"
        "try: main(['tenant', '--help'])\n"
        "finally: assert 'hypercorn' not in sys.modules"
    )
    assert subprocess.run([sys.executable, "-c", asked], cwd=ROOT, capture_output=True, check=False).returncode == 0


def test_the_version_is_the_apis(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["--version"])
    assert capsys.readouterr().out == f"nocontent {VERSION}\n"


@pytest.mark.parametrize("arguments", [[], ["nothing"], ["tenant"], ["token", "issue"]])
def test_a_wrong_command_line_ends_with_2_and_the_usage(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as ended:
        main(arguments)
    assert ended.value.code == 2
    assert "usage: nocontent" in capsys.readouterr().err
