"""Delivery status notifications, as mail servers write them, and as nobody should."""

import io
import sys
import time
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.alerts.mail import bounces
from ingest.alerts.mail.bounces import Bounce
from tests.alerts.mail.conftest import Office
from tests.support import cluster
from tests.support.command import Run

ID = uuid.UUID("01890a5d-ac96-774b-bcce-b302099a8057")
DOMAIN = "mail.example.com"
_HEAD = f"""From: letters@{DOMAIN}
To: person@example.com
Subject: An invoice
Message-ID: <{ID}@{DOMAIN}>
"""


def report(action: str = "failed", status: str = "5.1.1", returned: str = _HEAD, kind: str = "message/rfc822") -> bytes:
    """Return a report as Postfix writes it."""
    return f"""From: MAILER-DAEMON@mx.example.net
To: letters@{DOMAIN}
Subject: Undelivered Mail Returned to Sender
Message-ID: <20261128120000.ABCDEF@mx.example.net>
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary="b"

--b
Content-Type: text/plain; charset=us-ascii

<person@example.com>: host mx.example.org said: 550 5.1.1 user unknown

--b
Content-Type: message/delivery-status

Reporting-MTA: dns; mx.example.net
Arrival-Date: Sat, 28 Nov 2026 12:00:00 +0000

Final-Recipient: rfc822; person@example.com
Original-Recipient: rfc822;person@example.com
Action: {action}
Status: {status}
Remote-MTA: dns; mx.example.org
Diagnostic-Code: smtp; 550 5.1.1 user unknown

--b
Content-Type: {kind}

{returned}

--b--
""".encode()


@pytest.mark.parametrize(
    ("given", "bounce"),
    [
        (report(), Bounce(ID, 5)),
        (report(kind="text/rfc822-headers"), Bounce(ID, 5)),
        (report().replace(b"\n", b"\r\n"), Bounce(ID, 5)),
        (report(status="4.4.7"), Bounce(ID, 4)),
        (report(action="Failed", status=" 5.7.1 (blocked)"), Bounce(ID, 5)),
        (report(action="delayed", status="4.4.1"), None),
        (report(action="delivered", status="2.0.0"), None),
        (report(action="relayed", status="2.1.9"), None),
        (report(status="no"), None),
        (report(returned=_HEAD.replace(DOMAIN, "mail.example.org")), None),
        (report(returned=_HEAD.replace(str(ID), "x")), None),
        (report(returned=f"{_HEAD}\nMessage-ID: <{uuid.UUID(int=1)}@{DOMAIN}>\n"), Bounce(ID, 5)),  # In its body.
        (report() + b" " * bounces.BYTES_MAX, None),
        (_HEAD.encode(), None),
        (b"", None),
    ],
)
def test_a_report_names_a_letter_of_ours_and_a_class(given: bytes, bounce: Bounce | None) -> None:
    assert bounces.read(given, DOMAIN) == bounce


def test_a_report_about_two_letters_says_nothing() -> None:
    other = _HEAD.replace(str(ID), str(uuid.UUID(int=1)))
    whole = report().replace(b"--b--", b"--b\nContent-Type: message/rfc822\n\n" + other.encode() + b"\n--b--")
    assert bounces.read(whole, DOMAIN) is None


@given(st.binary(max_size=2_000), st.integers(0, 1_500))
def test_nothing_that_arrives_raises(junk: bytes, place: int) -> None:
    own = report()
    bounces.read(junk, DOMAIN)
    bounces.read(own[:place] + junk + own[place:], DOMAIN)


def test_a_thousand_parts_within_each_other_are_not_followed() -> None:
    nested = b"".join(b"Content-Type: multipart/mixed; boundary=%d\n\n--%d\n" % (n, n) for n in range(90))
    assert bounces.read(nested + report(), DOMAIN) is None


def test_what_is_within_itself_ten_thousand_times_raises_nothing() -> None:
    assert bounces.read(b"Content-Type: message/rfc822\n\n" * 10_000 + report(), DOMAIN) is None


def test_a_megabyte_of_lines_in_open_parts_takes_no_minute() -> None:
    """The parser of the standard library compares each line with each boundary: 62 s for these."""
    nested = b"".join(b"Content-Type: multipart/mixed; boundary=%d\n\n--%d\n" % (n, n) for n in range(900))
    began = time.process_time()
    assert bounces.read(nested + b"x\n" * 400_000, DOMAIN) is None
    assert time.process_time() - began < 10


def test_a_report_marks_a_letter_that_went_out_and_no_other(
    office: Office, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = uuid.UUID(int=7)
    for letter, state in ((ID, "sent"), (other, "pending")):
        cluster.run(
            office.dsn,
            "INSERT INTO nocontent.outbox (tenant_id, letter_id, kind, person_id, ids, numbers, cause, state) VALUES"
            f" ({office.tenant_id}, '{letter}', 'invoice', '{letter}', '{{}}', '{{}}', gen_random_uuid(), '{state}')",
        )
    for name, value in {"DSN": office.dsn, "SMTP_URL": "smtp://127.0.0.1:1", "MAIL_FROM": f"letters@{DOMAIN}"}.items():
        monkeypatch.setenv(f"NOCONTENT_{name}", value)
    for letter, status in ((ID, 0), (ID, 1), (other, 1)):
        body = report(returned=_HEAD.replace(str(ID), str(letter)))
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(body)))
        assert run("mail bounced")[0] == status
    rows = cluster.fetch(office.dsn, "SELECT letter_id, state, reply_class FROM outbox ORDER BY letter_id")
    assert [tuple(row.values()) for row in rows] == [(other, "pending", None), (ID, "bounced", 5)]
