"""Builds the bytes of a letter: our own headers, a text and HTML; no value can add a line to a header."""

import re
from collections.abc import Mapping
from email.charset import QP, Charset
from email.generator import BytesGenerator
from email.header import Header
from email.mime.multipart import MIMEMultipart
from email.mime.text import MIMEText
from email.policy import compat32
from email.utils import formatdate
from io import BytesIO
from typing import NamedTuple
from uuid import UUID

_ADDRESS = re.compile(r"[!-~]{1,64}@[a-z0-9.-]{1,253}", re.ASCII)
_UTF_8 = Charset("utf-8")
_UTF_8.body_encoding = QP


class CannotBuild(Exception):
    """A header's value has a line break, or a letter no recipient: it is not sent."""


class Content(NamedTuple):
    """The subject and the bodies of a letter."""

    subject: str
    text: str
    html: str
    headers: Mapping[str, str] = {}


class Envelope(NamedTuple):
    """Whom a letter is from and to, and by which id it is known for ever."""

    letter_id: UUID
    sender: str
    recipient: str

    @property
    def message_id(self) -> str:
        return f"<{self.letter_id}@{self.sender.rpartition('@')[2]}>"


def build(envelope: Envelope, content: Content) -> bytes:
    """Return a message; raises CannotBuild.

    By the older half of the standard library, which takes a fifth of the time of `EmailMessage`.
    """
    if not _ADDRESS.fullmatch(envelope.recipient):
        raise CannotBuild
    message = MIMEMultipart("alternative", boundary=f"={envelope.letter_id.hex}=", policy=compat32)
    own = {
        "From": envelope.sender,
        "To": envelope.recipient,
        "Subject": content.subject,
        "Date": formatdate(usegmt=True),
        "Message-ID": envelope.message_id,
        "Auto-Submitted": "auto-generated",
    }
    for name, value in (own | dict(content.headers)).items():
        if not value.isprintable():
            raise CannotBuild
        message[name] = value if value.isascii() else Header(value, "utf-8").encode(maxlinelen=0)
    for text, kind in ((content.text, "plain"), (content.html, "html")):
        message.attach(MIMEText(text, kind, _UTF_8))  # type: ignore[arg-type]  # The stub lags: it may be a Charset.
    written = BytesIO()
    # No header is folded: programs that check signatures want List-Unsubscribe on one line.
    BytesGenerator(written, mangle_from_=False, maxheaderlen=0).flatten(message)
    return written.getvalue()
