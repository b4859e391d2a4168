"""Codes of an authenticator: those of RFC 6238, the steps around, and what is no code; recovery codes."""

import pyotp
import pytest

from ingest.accounts import totp

_SECRET = b"12345678901234567890"  # Of RFC 6238, appendix B; its codes end in the six digits below.


@pytest.mark.parametrize(
    ("now_s", "code"),
    [(59, "287082"), (1_111_111_109, "081804"), (1_111_111_111, "050471"), (1_234_567_890, "005924"),
     (2_000_000_000, "279037"), (20_000_000_000, "353130")],
)  # fmt: skip
def test_codes_are_those_of_the_standard(now_s: int, code: str) -> None:
    assert totp.step_of(_SECRET, code, now_s) == now_s // 30


@pytest.mark.parametrize("typed", ["287 082", " 287082 ", "287-082"])
def test_a_code_may_be_typed_with_spaces(typed: str) -> None:
    assert totp.step_of(_SECRET, typed, 59) == 1


@pytest.mark.parametrize("typed", ["", "287083", "28708", "2870822", "abcdef", "\u0662\u0668\u0667\u0660\u0668\u0662"])
def test_what_is_no_code_of_now_is_refused(typed: str) -> None:
    assert totp.step_of(_SECRET, typed, 59) is None


def test_a_code_is_good_for_half_a_minute_around_its_own() -> None:
    step, code = 37_037_036, "081804"
    good = [at - step for at in range(step - 3, step + 4) if totp.step_of(_SECRET, code, at * totp.STEP_S) == step]
    assert good == [-1, 0, 1]


def test_an_authenticator_reads_the_picture() -> None:
    secret = totp.make_secret()
    read = pyotp.parse_uri(totp.uri(secret, "owner+a@example.com", "acme"))
    assert isinstance(read, pyotp.TOTP)
    assert (read.byte_secret(), read.issuer, read.name) == (secret, "nocontent acme", "owner+a@example.com")


def test_recovery_codes_are_read_as_people_type_them() -> None:
    codes = totp.make_codes()
    assert len(set(codes)) == totp.CODES
    for code in codes:
        assert totp.digest_of(code) == totp.digest_of(code.upper().replace("-", " ")) is not None
    assert totp.digest_of("287082") is totp.digest_of("") is totp.digest_of("\u00e9" * 16) is None
