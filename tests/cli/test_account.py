"""`nocontent account`: links that are printed once, people by address, and errors without a value."""

import stat
from pathlib import Path

import pytest

from ingest.accounts import links
from tests.support import cluster, terminal
from tests.support.terminal import Run


@pytest.fixture
def run(database: str, capfd: pytest.CaptureFixture[str]) -> Run:
    made = terminal.at(database, capfd)
    assert made("tenant", "add", "acme")[0] == 0
    return made


def _invite(run: Run, email: str = "owner@example.com", role: str = "owner") -> tuple[int, str]:
    return run("account", "invite", "acme", email, "--role", role, "--name", "An Owner")


def _secret(said: str) -> str:
    return next(line for line in said.splitlines() if links.PATH in line).partition(links.PATH)[2]


def test_an_invitation_is_printed_and_stored_as_a_digest(run: Run, database: str) -> None:
    status, said = _invite(run)
    assert status == 0
    (row,) = cluster.fetch(database, "SELECT kind, digest FROM account_links")
    assert (row["kind"], row["digest"]) == ("invitation", links.digest_of(_secret(said)))
    status, again = _invite(run, "Owner@Example.com")  # Who has not accepted gets another link.
    assert status == 0
    (row,) = cluster.fetch(database, "SELECT digest FROM account_links")
    assert row["digest"] == links.digest_of(_secret(again)) != links.digest_of(_secret(said))


def test_with_a_mail_server_a_letter_takes_the_link_unless_it_is_to_be_printed(
    run: Run, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    letters = "SELECT kind, count(*) FROM outbox GROUP BY kind"
    assert links.PATH in _invite(run)[1]
    assert [tuple(row) for row in cluster.fetch(database, letters)] == [("invitation", 1)]  # It would have been sent.
    monkeypatch.setenv("NOCONTENT_SMTP_URL", "smtp://127.0.0.1:25")
    monkeypatch.setenv("NOCONTENT_MAIL_FROM", "letters@example.com")
    status, said = _invite(run)
    assert status == 0
    assert links.PATH not in said
    assert "a letter with the link goes" in said
    line = "account invite acme owner@example.com --role owner --name Owner --print-link"
    assert links.PATH in run(*line.split())[1]
    assert [tuple(row) for row in cluster.fetch(database, letters)] == [("invitation", 2)]


def test_a_link_that_is_over_the_limit_of_letters_is_refused_and_the_one_before_stays(
    run: Run, database: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOCONTENT_SMTP_URL", "smtp://127.0.0.1:25")
    monkeypatch.setenv("NOCONTENT_MAIL_FROM", "letters@example.com")
    digest = "SELECT digest, (SELECT count(*) FROM outbox) FROM account_links"
    assert [_invite(run)[0] for _ in range(5)] == [0] * 5
    before = cluster.fetch(database, digest)
    status, said = _invite(run)
    assert status == 1
    assert "a person gets 5 such links by mail an hour" in said
    assert cluster.fetch(database, digest) == before
    line = "account invite acme owner@example.com --role owner --name Owner --print-link"
    assert links.PATH in run(*line.split())[1]  # No letter, so no limit of letters.


def test_people_are_listed_and_changed_by_address(run: Run, database: str) -> None:
    assert _invite(run)[0] == _invite(run, "other@example.com", "analyst")[0] == 0
    hashed = "'$argon2id$v=19$m=1024,t=1,p=1$" + "a" * 22 + "$" + "a" * 43 + "'"
    cluster.run(database, f"UPDATE people SET password_hash = {hashed}, password_changed_at = now()")
    for line in ("role acme other@example.com billing", "disable acme other@example.com"):
        assert run("account", *line.split())[0] == 0
    status, said = run("account", "list", "acme")
    assert status == 0
    rows = [line.split() for line in said.splitlines()]
    assert rows == [["other@example.com", "billing", "disabled"], ["owner@example.com", "owner", "active"]]
    for line in ("enable acme other@example.com", "sign-out acme other@example.com", "end-totp acme other@example.com"):
        assert run("account", *line.split())[0] == 0
    status, said = run("account", "reset", "acme", "other@example.com")
    assert status == 0
    assert "works once" in said
    assert run("account", "remove", "acme", "other@example.com")[0] == 0
    assert run("account", "list", "acme")[1].splitlines() == ["owner@example.com                owner    active"]
    acts = cluster.fetch(database, "SELECT DISTINCT person_id FROM audit WHERE act LIKE 'account.%'")
    assert [row["person_id"] for row in acts] == [None]  # An operator's.


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("role acme owner@example.com analyst", "last owner"),
        ("disable acme owner@example.com", "last owner"),
        ("remove acme owner@example.com", "last owner"),
        ("reset acme CANARY@example.com", "nobody"),
        ("invite acme CANARY --role owner --name A", "mail address"),
        ("invite acme a@example.com --role owner --name CANARY<b>", "mail address"),
        ("invite acme a@example.com --role CANARY --name A", "invalid choice"),
        ("list CANARY", "no tenant"),
    ],
)
def test_a_refusal_says_why_and_repeats_no_argument(run: Run, database: str, line: str, why: str) -> None:
    assert _invite(run)[0] == 0
    hashed = "'$argon2id$v=19$m=1024,t=1,p=1$" + "a" * 22 + "$" + "a" * 43 + "'"
    cluster.run(database, f"UPDATE people SET password_hash = {hashed}, password_changed_at = now()")
    status, said = run("account", *line.split())
    assert status > 0
    assert why in said
    assert "CANARY" not in said


def test_keygen_makes_a_file_and_rotates_it(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "session-keys"
    assert run("account", "keygen", str(path)) == (0, f"1 keys in force; {path.read_text()[:8]} signs\n")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    status, said = run("account", "keygen", str(path))
    assert status == 0
    assert said.startswith("2 keys")
    path.chmod(0o644)
    status, said = run("account", "keygen", str(path))
    assert status == 2
    assert "0600" in said
