"""`nocontent mail`: what would have been sent, without the links that only its recipient may have."""

from pathlib import Path
from uuid import uuid4

import pytest

from ingest.store.mail.kinds import KINDS
from tests.support import cluster, terminal
from tests.support.terminal import Run


@pytest.fixture
def run(database: str, capfd: pytest.CaptureFixture[str]) -> Run:
    """Return what runs commands, with a tenant to whose owner an invitation waits."""
    made = terminal.at(database, capfd)
    assert made("tenant", "add", "acme")[0] == 0
    invited = made("account", "invite", "acme", "owner@example.com", "--role", "owner", "--name", "An Owner")
    assert invited[0] == 0
    return made


def test_a_letter_is_listed_and_shown_without_its_link(run: Run, database: str, tmp_path: Path) -> None:
    ((letter_id,),) = cluster.fetch(database, "SELECT letter_id::text FROM outbox")
    status, said = run("mail", "list", "acme")
    assert status == 0
    assert f"{letter_id}  " in said
    assert "without a mail server, letters wait" in said
    assert "  invitation           pending     owner@example.com" in said
    file = tmp_path / "letter.html"
    status, said = run("mail", "show", "acme", letter_id, "--html", str(file))
    assert status == 0
    assert "To: owner@example.com\nSubject: You are invited to acme\n" in said
    for text in (said, file.read_text("utf-8")):
        assert "An Owner" in text
        assert "/link/" not in text
        assert "made when this letter is sent" in text


def test_what_is_not_there_is_said_so(run: Run, database: str, tmp_path: Path) -> None:
    assert "no such letter" in run("mail", "show", "acme", str(uuid4()))[1]
    ((letter_id,),) = cluster.fetch(database, "SELECT letter_id::text FROM outbox")
    missing = tmp_path / "nowhere" / "letter.html"
    assert "cannot be written" in run("mail", "show", "acme", letter_id, "--html", str(missing))[1]
    cluster.run(database, "DELETE FROM people")
    assert "(removed)" in run("mail", "list", "acme")[1]
    assert "no longer there" in run("mail", "show", "acme", letter_id)[1]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_has_an_example(capfd: pytest.CaptureFixture[str], kind: str) -> None:
    status, said = terminal.at("postgresql://nowhere.example", capfd)("mail", "preview", kind)
    assert status == 0
    assert "Hello Owner of Acme," in said
