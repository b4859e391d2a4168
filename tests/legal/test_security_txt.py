"""security.txt by the grammar of RFC 9116, and an expiry that no restart moves."""

from datetime import timedelta

import pytest

from ingest.legal import claims, security_txt
from tests.support import rfc9116
from tests.support.rfc9116 import BrokenFile

CONTACT = "mailto:security@example.com"
ORIGIN = "https://console.example.com"
GOOD = "Contact: mailto:a@example.com\nExpires: 2027-01-01T00:00:00Z\n"


@pytest.mark.parametrize("contact", [CONTACT, "https://example.com/report-a-vulnerability"])
def test_it_is_what_the_rfc_reads(contact: str) -> None:
    read = rfc9116.read(security_txt.render(contact, ORIGIN).encode())
    assert read.fields == (
        ("contact", contact),
        ("expires", f"{security_txt.expires_at():%Y-%m-%dT%H:%M:%SZ}"),
        ("canonical", f"{ORIGIN}/.well-known/security.txt"),
        ("policy", f"{ORIGIN}/security"),
        ("preferred-languages", "en"),
    )


def test_it_expires_330_days_after_the_last_recorded_run() -> None:
    read = rfc9116.read(security_txt.render(CONTACT, ORIGIN).encode())
    newest = max(run.at for run in claims.runs().values())
    assert read.expires == newest + timedelta(days=330)


def test_a_web_address_without_tls_is_left_out() -> None:
    read = rfc9116.read(security_txt.render(CONTACT, "http://127.0.0.1:8480").encode())
    assert {name for name, _ in read.fields} == {"contact", "expires", "preferred-languages"}


@pytest.mark.parametrize(
    "good",
    [
        GOOD,
        GOOD.replace("\n", "\r\n"),
        GOOD.replace("\n", " \t\n"),
        "# A comment with é\n\n" + GOOD,
        GOOD + "Preferred-Languages: en, zh-Hant-TW,de\n",
        GOOD + "Contact: https://example.com/%7Ea?b#c\n",
        GOOD + "Bounty: whatever one likes\n",
        GOOD.replace("Contact", "CONTACT").replace("00Z", "00.5+01:00"),
    ],
)
def test_what_the_rfc_permits_is_read(good: str) -> None:
    assert rfc9116.read(good.encode()).all("expires")


@pytest.mark.parametrize(
    ("bad", "rule"),
    [
        ("", "line has an end"),
        ("Expires: 2027-01-01T00:00:00Z\n", "has a contact"),
        ("Contact: mailto:a@example.com\n", "one expiry"),
        (GOOD + "Expires: 2027-01-01T00:00:00Z\n", "one expiry"),
        (GOOD + "Preferred-Languages: en\nPreferred-Languages: de\n", "stand once"),
        (GOOD + "Preferred-Languages: English please\n", "RFC 5646"),
        (GOOD + "Policy: http://example.com/\n", "begins with https"),
        (GOOD + "Policy: /security\n", "is a URI"),
        (GOOD + "Contact: security@example.com\n", "is a URI"),
        (GOOD + "Contact:mailto:a@example.com\n", "a field, a comment or empty"),
        (GOOD + "no field\n", "a field, a comment or empty"),
        (GOOD.replace("2027-01-01T00:00:00Z", "2027-01-01"), "RFC 3339"),
        (GOOD.replace("2027-01-01", "2027-13-01"), "RFC 3339"),
        (GOOD.removesuffix("\n"), "line has an end"),
    ],
)
def test_what_the_rfc_refuses_is_refused(bad: str, rule: str) -> None:
    with pytest.raises(BrokenFile, match=rule):
        rfc9116.read(bad.encode())
