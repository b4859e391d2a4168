"""`nocontent webhook`: ids and secrets that are printed, and errors without a value."""

from pathlib import Path

import pytest

from ingest.alerts.webhooks import signing
from ingest.knowledge import keys
from tests.support import cluster, terminal
from tests.support.terminal import Run

URL = "https://hooks.example.com/services/T0/path"


@pytest.fixture
def run(database: str, capfd: pytest.CaptureFixture[str]) -> Run:
    made = terminal.at(database, capfd)
    assert made("tenant", "add", "acme")[0] == made("tenant", "add", "globex")[0] == 0
    return made


def _added(run: Run) -> str:
    status, said = run("webhook", "add", "acme", "HTTPS://Hooks.example.com/services/T0/path")
    assert status == 0
    return said.strip()


def test_a_webhook_is_added_listed_tested_and_ended(run: Run, database: str) -> None:
    made = _added(run)
    assert run("webhook", "list", "acme")[1] == f"{made}  {'active':32} {URL}\n"
    assert run("webhook", "test", "acme", made)[0] == 0
    (row,) = cluster.fetch(database, "SELECT event, state FROM webhook_deliveries")
    assert tuple(row) == (3, 1)
    for act in ("test", "end"):
        assert run("webhook", act, "globex", made)[0] == 1  # Another tenant's is not there.
    assert run("webhook", "end", "acme", made)[0] == 0
    assert "(ended)" in run("webhook", "list", "acme")[1]
    for act in ("test", "end"):
        status, said = run("webhook", act, "acme", made)
        assert status == 1
        assert "nocontent webhook list" in said


def test_a_secret_is_made_of_the_file_and_the_audit_notes_it(
    run: Run, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = _added(run)
    status, said = run("webhook", "secret", "acme", made)
    assert status == 2
    assert "NOCONTENT_WEBHOOK_KEYS_FILE" in said
    file = tmp_path / "keys"
    own = keys.write(file)
    monkeypatch.setenv("NOCONTENT_WEBHOOK_KEYS_FILE", str(file))
    (row,) = cluster.fetch(database, "SELECT webhook_id FROM webhooks")
    assert run("webhook", "secret", "acme", made) == (0, f"{signing.secret(own, row['webhook_id'])}\n")
    assert len(cluster.fetch(database, "SELECT FROM audit WHERE act = 'webhook.show-secret'")) == 1


@pytest.mark.parametrize("url", ["http://secret-word.example.com/", "https://10.0.0.1/", "https://localhost:8443/"])
def test_a_refused_address_is_not_repeated(url: str, run: Run) -> None:
    status, said = run("webhook", "add", "acme", url)
    assert status == 2
    assert "public name of a host" in said
    assert url not in said
    assert "secret-word" not in said


@pytest.mark.parametrize("act", ["secret", "test", "end"])
def test_what_is_no_id_is_not_repeated(act: str, run: Run) -> None:
    status, said = run("webhook", act, "acme", "whsec_CANARY")
    assert (status, "argument webhook: invalid UUID value" in said, "CANARY" in said) == (2, True, False)


def test_this_machine_is_for_a_console_on_it_alone(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOCONTENT_WEBHOOK_LOOPBACK", "true")
    assert run("webhook", "add", "acme", "https://localhost:8443/")[0] == 0
    monkeypatch.setenv("NOCONTENT_CONSOLE_URL", "https://console.example.com")
    status, said = run("webhook", "add", "acme", "https://localhost:8443/")
    assert status == 2
    assert "NOCONTENT_WEBHOOK_LOOPBACK is for development" in said
    assert len(run("webhook", "list", "acme")[1].splitlines()) == 1
