"""Settings of mail: what is refused at the start, and that no secret is printed."""

import subprocess
import sys
from pathlib import Path

import pytest

from ingest.alerts.mail import job, settings
from ingest.alerts.mail.settings import MailSettings
from ingest.cli import processes
from ingest.errors import CannotStart
from tests.support.service import ROOT

_GOOD = {"NOCONTENT_SMTP_URL": "smtp+starttls://mail.example.com", "NOCONTENT_MAIL_FROM": "letters@example.com"}


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("smtp+starttls://mail.example.com", ("mail.example.com", 587, "starttls")),
        ("smtp+starttls://mail.example.com:2525", ("mail.example.com", 2525, "starttls")),
        ("smtps://mail.example.com", ("mail.example.com", 465, "tls")),
        ("smtp://127.0.0.1:1025", ("127.0.0.1", 1025, "none")),
        ("smtp://[::1]", ("::1", 25, "none")),
        ("smtp://localhost", ("localhost", 25, "none")),
    ],
)
def test_a_url_names_host_port_and_security(url: str, found: tuple[str, int, str]) -> None:
    relay = settings.relay(MailSettings(smtp_url=url, mail_from="letters@mail.example.com"))
    assert relay is not None
    assert (relay.host, relay.port, relay.security) == found
    assert relay.domain == "mail.example.com"


@pytest.mark.parametrize(
    "url",
    [
        "smtp://mail.example.com",  # In the clear, to another machine.
        "smtp://10.0.0.1:25",
        "smtp://127.0.0.1.example.com",
        "http://mail.example.com",
        "mail.example.com:587",
        "smtps://user:word@mail.example.com",
        "smtps://mail.example.com/path",
        "smtps://mail.example.com?a=b",
        "smtps://",
        "smtps://mail.example.com:0x1",
    ],
)
def test_any_other_url_stops_the_start_and_is_not_repeated(url: str) -> None:
    with pytest.raises(CannotStart) as stopped:
        processes.load(_GOOD | {"NOCONTENT_SMTP_URL": url})
    assert "NOCONTENT_SMTP_URL" in str(stopped.value)
    assert "user:word" not in str(stopped.value)


@pytest.mark.parametrize("address", ["Letters@example.com", "letters", "a@b@c", "Letters <a@example.com>", "a@é.com"])
def test_letters_are_from_a_plain_address(address: str) -> None:
    with pytest.raises(CannotStart):
        processes.load(_GOOD | {"NOCONTENT_MAIL_FROM": address})


def test_a_server_without_a_sender_stops_the_start() -> None:
    with pytest.raises(CannotStart, match="NOCONTENT_MAIL_FROM"):
        settings.relay(MailSettings(smtp_url="smtps://mail.example.com"))


@pytest.mark.parametrize(
    ("text", "mode"), [("user\ntangerine\n", 0o644), ("user\n", 0o600), ("a\nb\nc\n", 0o600), ("", 0o600)]
)
def test_a_file_of_credentials_has_two_lines_and_no_other_reader(tmp_path: Path, text: str, mode: int) -> None:
    file = tmp_path / "credentials"
    file.write_text(text)
    file.chmod(mode)
    given = MailSettings(
        smtp_url="smtps://mail.example.com", mail_from="a@example.com", smtp_credentials_file=str(file)
    )
    with pytest.raises(CannotStart) as stopped:
        settings.relay(given)
    assert "tangerine" not in str(stopped.value)
    file.write_text("user\ntangerine\n")
    file.chmod(0o600)
    relay = settings.relay(given)
    assert relay is not None
    assert relay.password is not None
    assert relay.password.reveal() == "tangerine"
    assert "tangerine" not in repr((relay, given))


def test_a_console_for_others_needs_keys_to_unsubscribe(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in (_GOOD | {"NOCONTENT_CONSOLE_URL": "https://console.example.com"}).items():
        monkeypatch.setenv(name, value)
    with pytest.raises(CannotStart, match="NOCONTENT_UNSUBSCRIBE_KEYS_FILE"):
        job.check()


_HIDDEN = ("aiohttp", "aiosmtplib", "argon2", "cryptography", "markdown_it", "pyarrow", "pyotp", "segno", "stripe")
_PROGRAM = """
import sys
sys.modules |= dict.fromkeys({hidden})
import ingest.alerts.app, ingest.alerts.process, ingest.cli.jobs
from ingest.alerts.mail import job
from ingest.errors import CannotStart
try:
    job.check()
except CannotStart as stopped:
    print(stopped)
"""


@pytest.mark.parametrize(("url", "says"), [("", ""), ("smtp://127.0.0.1", "install nocontent with the extra `mail`")])
def test_serve_and_jobs_start_without_any_extra_but_send_no_mail(url: str, says: str) -> None:
    own = {"PATH": "", "NOCONTENT_MAIL_FROM": "a@example.com"} | ({"NOCONTENT_SMTP_URL": url} if url else {})
    program = _PROGRAM.format(hidden=_HIDDEN)
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, cwd=ROOT, env=own)
    assert says in done.stdout.decode()
    assert bool(done.stdout) == bool(says)
