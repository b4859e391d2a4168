"""Codes of an authenticator (RFC 6238: SHA-1, 30 seconds, 6 digits), and recovery codes, which each work once."""

import re
import secrets
from base64 import b32encode
from hashlib import sha256
from hmac import compare_digest

import pyotp

STEP_S = 30
SECRET_BYTES = 20
CODES = 10
_STEPS_AROUND = (-1, 0, 1)  # A clock may be wrong by half a minute, and a code takes time to type.
_CODE = re.compile(r"[0-9]{6}", re.ASCII)
_RECOVERY = re.compile(r"[a-z2-7]{16}", re.ASCII)


def make_secret() -> bytes:
    return secrets.token_bytes(SECRET_BYTES)


def as_text(secret: bytes) -> str:
    """Return a secret as people type it into an authenticator."""
    return b32encode(secret).decode()


def uri(secret: bytes, email: str, organisation: str) -> str:
    """Return what the picture for an authenticator says."""
    return pyotp.TOTP(as_text(secret)).provisioning_uri(name=email, issuer_name=f"nocontent {organisation}")


def step_of(secret: bytes, code: str, now_s: int) -> int | None:
    """Return the step whose code this is at a time, or None; every step is compared."""
    typed = re.sub(r"[\s-]", "", code)
    if not _CODE.fullmatch(typed):
        return None
    step = now_s // STEP_S
    generator = pyotp.HOTP(as_text(secret))
    found = [step + around for around in _STEPS_AROUND if compare_digest(generator.at(step + around), typed)]
    return found[0] if found else None


def make_codes() -> list[str]:
    """Return new recovery codes of 80 bits each, as people read them."""
    made = [b32encode(secrets.token_bytes(10)).decode().lower() for _ in range(CODES)]
    return ["-".join(code[place : place + 4] for place in range(0, 16, 4)) for code in made]


def digest_of(code: str) -> bytes | None:
    """Return the digest of a recovery code, or None if the string does not have the form of one."""
    typed = re.sub(r"[\s-]", "", code).lower()
    return sha256(typed.encode()).digest() if _RECOVERY.fullmatch(typed) else None


def digests_of(codes: list[str]) -> list[bytes]:
    """Return the digests of recovery codes of ours."""
    return [digest for code in codes if (digest := digest_of(code)) is not None]
