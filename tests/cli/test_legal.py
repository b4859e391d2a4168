"""`nocontent legal`: what is published and accepted, and whether it is as it was."""

import asyncio
import hashlib
from pathlib import Path

import pytest

from ingest.legal import documents
from ingest.legal.facts import NAMES
from ingest.store import acceptances, connections
from ingest.store.acceptances import Accepted
from ingest.store.accounts import sessions
from tests.support import accounts, terminal
from tests.support.terminal import Run

_COMPLETE = "".join(
    f'{name} = "{"a@example.com" if "contact" in name else "Planted Ltd"}"\n' for name in NAMES
)  # fmt: skip
_ENTRY = """\
[[subprocessor]]
id = "host"
name = "Example"
purpose = "Servers"
data = "All"
place = "Germany"
transfer = "None"
announced = 2027-01-01
effective = 2027-02-01
"""


@pytest.fixture
def run(capfd: pytest.CaptureFixture[str]) -> Run:
    return terminal.at("postgresql://nobody@127.0.0.1:1/none", capfd)


def test_what_is_published_is_listed_without_a_database(run: Run) -> None:
    status, said = run("legal", "list")
    assert status == 0
    for versions in documents.load().values():
        assert versions[-1].digest.hex() in said
    assert said.count("in force") == 3
    assert "stripe" in said
    assert "a draft" in said


def test_check_names_the_details_that_are_missing(run: Run, tmp_path: Path) -> None:
    status, said = run("legal", "check")
    assert (status, "governing_law" in said) == (1, True)
    file = tmp_path / "legal.toml"
    file.write_text(_COMPLETE, "utf-8")
    assert run("legal", "check", legal_file=file) == (0, "as published, with all details of the operator\n")
    file.write_text(_COMPLETE + 'colour = "Planted"\n', "utf-8")
    status, said = run("legal", "check", legal_file=file)
    assert (status, "Planted" in said, "NOCONTENT_LEGAL_FILE must be TOML" in said) == (2, False, True)


def test_show_prints_the_text_that_an_acceptance_has_the_digest_of(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "legal.toml"
    file.write_text(_COMPLETE, "utf-8")
    status, said = run("legal", "show", "terms", "--version", "1", legal_file=file)
    assert (status, "Planted Ltd" in said) == (0, True)
    assert run("legal", "show", "terms", legal_file=file) == (0, said)
    status, said = run("legal", "show", "terms", "--version", "99")
    assert (status, "There is no such version" in said) == (2, True)


def test_an_own_list_is_published_once_and_not_changed(run: Run, tmp_path: Path) -> None:
    own, legal = tmp_path / "own.toml", tmp_path / "legal.toml"
    own.write_text(_ENTRY, "utf-8")
    legal.write_text(f'{_COMPLETE}subprocessors = "{own}"\n', "utf-8")
    assert run("legal", "check", legal_file=legal)[0] == 2
    assert run("legal", "lock", "--subprocessors", str(own)) == (0, "own.lock: 1 added, 1 in all\n")
    assert run("legal", "check", legal_file=legal)[0] == 0
    own.write_text(_ENTRY + "ended = 2028-01-01\n", "utf-8")
    assert run("legal", "lock", "--subprocessors", str(own)) == (0, "own.lock: 0 added, 1 in all\n")
    own.write_text(_ENTRY.replace("Germany", "Elsewhere"), "utf-8")
    status, said = run("legal", "lock", "--subprocessors", str(own))
    assert (status, "own.lock has what was changed or removed" in said) == (2, True)
    own.write_text(_ENTRY.replace("2027-02-01", "2027-01-02"), "utf-8")
    (tmp_path / "own.lock").unlink()
    status, said = run("legal", "lock", "--subprocessors", str(own))
    assert (status, "less than 30 days" in said) == (2, True)


async def test_acceptances_are_listed_and_compared(database: str, capfd: pytest.CaptureFixture[str]) -> None:
    member = await accounts.member(database, "acme")
    first = documents.load()["terms"][0]
    shown = hashlib.sha256(b"shown").digest()

    async def accept(wanted: Accepted) -> None:
        async with (
            connections.connected(database, "nocontent_console") as console,
            sessions.entered(console, member.cookie.digest),
        ):
            assert await acceptances.accept(console, wanted)

    await accept(Accepted("terms", 1, first.digest, shown))
    status, said = await _listed(database, capfd)
    assert (status, "terms      1" in said, shown.hex() in said, "The owner" in said) == (0, True, True, True)
    assert "NOT" not in said
    await accept(Accepted("terms", 1, bytes(32), shown))
    status, said = await _listed(database, capfd)
    assert (status, said.count("NOT as published")) == (1, 1)


async def _listed(database: str, capfd: pytest.CaptureFixture[str]) -> tuple[int, str]:
    return await asyncio.to_thread(terminal.at(database, capfd), "legal", "acceptances", "acme")
