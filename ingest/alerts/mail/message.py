"""Builds the bytes of a letter: our own headers, a text and HTML; no value can add a line to a header."""

from collections.abc import Mapping
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate
from typing import NamedTuple
from uuid import UUID

# Programs that check signatures want List-Unsubscribe on one line; all our headers are short, so none is folded.
_POLICY = SMTP.clone(max_line_length=998)


class CannotBuild(Exception):
    """A header's value has a line break, or a letter no recipient: it is not sent."""


class Content(NamedTuple):
    """What a letter says."""

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
    """Return a message; raises CannotBuild."""
    message = EmailMessage(_POLICY)
    try:
        message["From"] = envelope.sender
        message["To"] = envelope.recipient
        message["Subject"] = content.subject
        message["Date"] = formatdate(usegmt=True)
        message["Message-ID"] = envelope.message_id
        message["Auto-Submitted"] = "auto-generated"
        for name, value in content.headers.items():
            message[name] = value
    except ValueError:  # Its message quotes the value.
        raise CannotBuild from None
    if "@" not in envelope.recipient or not envelope.recipient.isascii() or not envelope.recipient.isprintable():
        raise CannotBuild
    message.set_content(content.text, cte="quoted-printable")
    message.add_alternative(content.html, subtype="html", cte="quoted-printable")
    return message.as_bytes()
