"""The feed is Atom (RFC 4287) with the elements that it requires, and the JSON is as docs/legal.md has it."""

import re
from datetime import date, timedelta
from typing import Annotated
from xml.etree import ElementTree as ET

import msgspec
import pytest
from msgspec import Meta

from ingest.legal import feed, subprocessors
from ingest.legal.subprocessors import Subprocessor

_ATOM = "{http://www.w3.org/2005/Atom}"
_ORIGIN = "https://console.example.com"
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ")
_URN = re.compile(r"urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_Line = Annotated[str, Meta(min_length=1)]
_HOSTILE = '<script>alert("x")</script> & ]]> \u00fc'
_LISTED = (
    Subprocessor(id="a", name="A", purpose=_HOSTILE, data="d", place="p", transfer="t", announced=date(2027, 1, 1),
                 effective=date(2027, 2, 1), ended=date(2027, 6, 1)),
    Subprocessor(id="b", name="B", purpose="p", data="d", place="p", transfer="t", announced=date(2027, 3, 1),
                 effective=date(2027, 3, 1) + timedelta(days=30)),
    Subprocessor(id="draft", purpose="planted", data="d", place="p", transfer="t"),
)  # fmt: skip


class _Entry(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    id: Annotated[str, Meta(pattern=r"\A[a-z0-9-]+\Z")]
    name: _Line
    purpose: _Line
    data: _Line
    place: _Line
    transfer: _Line
    announced: date
    effective: date
    ended: date | None = None


class _File(msgspec.Struct, forbid_unknown_fields=True):
    updated: date
    subprocessors: list[_Entry]


def _text(parent: ET.Element, name: str) -> str:
    (found,) = parent.findall(_ATOM + name)
    assert found.text
    return found.text


@pytest.mark.parametrize("listed", [_LISTED, (), subprocessors.load()], ids=["some", "none", "shipped"])
def test_the_feed_has_what_atom_requires(listed: tuple[Subprocessor, ...]) -> None:
    root = ET.fromstring(feed.as_atom(listed, _ORIGIN, "Example <GmbH>"))
    assert root.tag == _ATOM + "feed"
    entries = root.findall(_ATOM + "entry")
    assert len(entries) == sum(each.is_published + (each.ended is not None) for each in listed)
    for element in (root, *entries):
        assert _URN.fullmatch(_text(element, "id"))
        assert _text(element, "title")
        assert _TIME.fullmatch(_text(element, "updated"))
    assert _text(root.findall(_ATOM + "author")[0], "name") == "Example <GmbH>"
    links = {link.get("rel"): link.get("href") for link in root.findall(_ATOM + "link")}
    assert links == {"self": f"{_ORIGIN}/legal/subprocessors.atom", "alternate": f"{_ORIGIN}/legal/subprocessors"}
    ids = [_text(entry, "id") for entry in entries]
    assert len({*ids, _text(root, "id")}) == len(ids) + 1
    updated = [_text(entry, "updated") for entry in entries]
    assert updated == sorted(updated, reverse=True)
    assert _text(root, "updated") == max(updated, default="2026-11-28T00:00:00Z")


def test_a_value_is_text_in_the_feed_and_a_draft_is_in_none() -> None:
    made = feed.as_atom(_LISTED, _ORIGIN, "x")
    assert b"<script" not in made
    assert b"planted" not in made + feed.as_json(_LISTED)
    first = ET.fromstring(made).findall(_ATOM + "entry")[-1]
    assert _HOSTILE in _text(first, "content")


def test_the_ids_of_entries_do_not_depend_on_other_entries() -> None:
    (alone,) = ET.fromstring(feed.as_atom(_LISTED[1:2], _ORIGIN, "x")).findall(_ATOM + "entry")
    together = ET.fromstring(feed.as_atom(_LISTED, _ORIGIN, "x")).findall(_ATOM + "entry")
    assert _text(alone, "id") in [_text(entry, "id") for entry in together]


@pytest.mark.parametrize("listed", [_LISTED, (), subprocessors.load()], ids=["some", "none", "shipped"])
def test_the_json_is_of_its_schema(listed: tuple[Subprocessor, ...]) -> None:
    made = msgspec.json.decode(feed.as_json(listed), type=_File)
    assert [each.id for each in made.subprocessors] == [each.id for each in listed if each.is_published]
