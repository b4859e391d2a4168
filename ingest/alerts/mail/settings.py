"""Settings of mail: the server that takes it, and from whom it is. A secret's setting is the path of its file."""

import re
from dataclasses import dataclass
from typing import Annotated, Literal, NamedTuple
from urllib.parse import urlsplit

from msgspec import Meta

from ingest.accounts.settings import OriginSettings, is_loopback
from ingest.alerts.letters.settings import LetterSettings
from ingest.config import PREFIX, Settings
from ingest.errors import CannotStart
from ingest.usage.processor import secret_files
from ingest.usage.processor.secret_files import Secret

SERVER_REST_S = 30.0  # Of the job, while there is no server, or it cannot be used.
Security = Literal["starttls", "tls", "none"]
_SCHEMES: dict[str, tuple[Security, int]] = {
    "smtp+starttls": ("starttls", 587),
    "smtps": ("tls", 465),
    "smtp": ("none", 25),
}
_ADDRESS = re.compile(r"[a-z0-9.!#$%&'*+/=?^_{|}~-]{1,64}@[a-z0-9-]{1,63}(\.[a-z0-9-]{1,63})*", re.ASCII)


def _parse(url: str) -> tuple[str, int, Security]:
    """Return host, port and security, or raise ValueError; without TLS only this machine."""
    parts = urlsplit(url)
    security, port = _SCHEMES.get(parts.scheme, (None, 0))
    if security is None or not parts.hostname or parts.path or parts.query or parts.fragment or "@" in parts.netloc:
        raise ValueError
    if security == "none" and not is_loopback(parts.hostname):
        raise ValueError
    return parts.hostname, parts.port or port, security


def _check_url(url: str) -> None:
    if url:
        _parse(url)


def _check_address(address: str) -> None:
    if address and not _ADDRESS.fullmatch(address):
        raise ValueError


@dataclass(frozen=True, kw_only=True)
class MailSettings(OriginSettings, Settings):
    """Settings of a process that sends mail; without a URL nothing is sent."""

    smtp_url: Annotated[
        str,
        Meta(
            description="where mail goes: smtp+starttls://host:587, smtps://host:465, or smtp:// on this machine",
            extra={"check": _check_url},
        ),
    ] = ""
    smtp_credentials_file: Annotated[
        str, Meta(description="file with two lines, user and password, that nobody else may read")
    ] = ""
    mail_from: Annotated[
        str, Meta(description="the address that letters are from, in lower case", extra={"check": _check_address})
    ] = ""


@dataclass(frozen=True, kw_only=True)
class ComposerSettings(MailSettings, LetterSettings):
    """The settings of a process that sends letters."""


class Relay(NamedTuple):
    """The server that takes our mail, and how we talk to it."""

    host: str
    port: int
    security: Security
    user: Secret | None
    password: Secret | None
    sender: str

    @property
    def domain(self) -> str:
        return self.sender.rpartition("@")[2]


def relay(settings: MailSettings) -> Relay | None:
    """Return the server, or None if mail is not sent; raises CannotStart."""
    if not settings.smtp_url:
        return None
    if not settings.mail_from:
        raise CannotStart(f"{PREFIX}SMTP_URL is set, so {PREFIX}MAIL_FROM must be too.")
    host, port, security = _parse(settings.smtp_url)
    user: Secret | None = None
    password: Secret | None = None
    if settings.smtp_credentials_file:
        setting = f"{PREFIX}SMTP_CREDENTIALS_FILE"
        found = secret_files.read(setting, settings.smtp_credentials_file, r"[\x21-\x7e]{1,500}", 2)
        if len(found) != 2:  # noqa: PLR2004 (a user and a password)
            raise CannotStart(f"{setting} names a file that does not have two lines.")
        user, password = found
    return Relay(host, port, security, user, password, settings.mail_from)
