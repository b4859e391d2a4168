"""Messages as bytes: what is in their headers, and what never gets there."""

import uuid
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ingest.alerts.mail.message import CannotBuild, Content, Envelope, build

ID = uuid.UUID("01890a5d-ac96-774b-bcce-b302099a8057")
ENVELOPE = Envelope(ID, "letters@mail.example.com", "person@example.com")
UNSUBSCRIBE = {
    "List-Unsubscribe": f"<https://console.example.com/unsubscribe/{'a' * 200}>",
    "List-Unsubscribe-Post": "List-Unsubscribe=One-Click",
}


@pytest.mark.parametrize("break_", ["\n", "\r", "\r\n", "\0", "\x0b", "\x0c", "\x85", "\u2028"])
def test_a_value_with_a_line_break_is_refused(break_: str) -> None:
    hostile = f"a{break_}Bcc: all@example.com"
    for content in (Content(hostile, "", ""), Content("About", "", "", {"List-Unsubscribe": hostile})):
        with pytest.raises(CannotBuild):
            build(ENVELOPE, content)
    for address in (f"person@example.com{break_}", f"a{break_}@example.com", f"person@example.com{break_}Bcc: b@c"):
        with pytest.raises(CannotBuild):
            build(ENVELOPE._replace(recipient=address), Content("About", "", ""))


@pytest.mark.parametrize("address", ["", "person", "a b@example.com", "<a@example.com>, b@c.com", "é@example.com"])
def test_what_is_no_address_is_refused(address: str) -> None:
    with pytest.raises(CannotBuild):
        build(ENVELOPE._replace(recipient=address), Content("About", "", ""))


def test_the_link_to_unsubscribe_is_on_one_line() -> None:
    lines = build(ENVELOPE, Content("About", "", "", UNSUBSCRIBE)).decode().split("\n")
    for name, value in UNSUBSCRIBE.items():
        assert f"{name}: {value}" in lines


def test_a_message_is_the_same_each_time_but_for_its_date() -> None:
    lines = [build(ENVELOPE, Content("About", "Text\n", "<p>Text</p>")).split(b"\n") for _ in range(2)]
    one, other = ([line for line in each if not line.startswith(b"Date:")] for each in lines)
    assert one == other
    assert f"Message-ID: <{ID}@mail.example.com>".encode() in one


@given(
    st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=120),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r"), max_size=2_000),
)
def test_what_goes_in_comes_out(subject: str, text: str) -> None:
    message = message_from_bytes(build(ENVELOPE, Content(subject, f"{text}\n", f"<p>{text}</p>\n")), policy=default)
    assert isinstance(message, EmailMessage)
    assert (message["Subject"], message["To"], message.get_all("Bcc")) == (subject, "person@example.com", None)
    for kind, whole in (("plain", f"{text}\n"), ("html", f"<p>{text}</p>\n")):
        body = message.get_body((kind,))
        assert body is not None
        assert body.get_payload(decode=True) == whole.encode()
