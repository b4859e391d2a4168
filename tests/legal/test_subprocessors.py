"""The list of subprocessors: 30 days' notice, and nothing of a published entry changes but that it ends."""

from datetime import date, timedelta
from pathlib import Path

import msgspec
import pytest

from ingest.errors import CannotStart
from ingest.legal import subprocessors
from ingest.legal.facts import Facts
from ingest.legal.library import Library
from ingest.legal.subprocessors import SHIPPED, Subprocessor

_DAY = date(2027, 1, 1)
HOST = Subprocessor(
    id="host", name="Example Hosting", purpose="Servers", data="All", place="Germany", transfer="None needed",
    announced=_DAY, effective=_DAY + timedelta(days=30),
)  # fmt: skip
DRAFT = Subprocessor(id="draft", purpose="Mail", data="Addresses", place="To be named", transfer="To be named")
_TOML = """\
[[subprocessor]]
id = "host"
name = "Example Hosting"
purpose = "Servers"
data = "All"
place = "Germany"
transfer = "None needed"
announced = 2027-01-01
effective = 2027-01-31
"""


def _changed(**fields: object) -> Subprocessor:
    return msgspec.structs.replace(HOST, **fields)


def _faults(*listed: Subprocessor, locked: dict[str, str] | None = None) -> list[str]:
    return list(subprocessors.faults(listed, {HOST.id: HOST.digest} if locked is None else locked))


def test_what_is_shipped_keeps_the_rules_and_the_lock_has_no_more() -> None:
    listed = subprocessors.load()
    assert subprocessors.sums(listed) == subprocessors.lock_of(SHIPPED).read_text("ascii")
    for each in listed:
        assert not each.is_published or (each.effective and each.announced)
        if each.announced and each.effective:
            assert (each.effective - each.announced).days >= 30


def test_a_published_entry_and_a_draft_keep_the_rules() -> None:
    assert _faults(HOST, DRAFT) == []
    assert _faults(_changed(ended=_DAY + timedelta(days=400)), DRAFT) == []


@pytest.mark.parametrize(
    ("entry", "says"),
    [
        (_changed(effective=_DAY + timedelta(days=29)), "becomes effective less than 30 days after"),
        (_changed(effective=_DAY), "becomes effective less than 30 days after"),
        (_changed(effective=_DAY - timedelta(days=1)), "becomes effective less than 30 days after"),
        (_changed(effective=None), "needs a name"),
        (_changed(name=None), "needs a name"),
        (_changed(announced=None, effective=None, ended=_DAY), "needs a name"),
        (_changed(ended=_DAY - timedelta(days=1)), "ended before it was announced"),
        (_changed(place="Ger\nmany"), "cannot be printed"),
    ],
    ids=range(8),
)
def test_an_entry_without_notice_or_name_is_refused(entry: Subprocessor, says: str) -> None:
    assert any(says in fault for fault in _faults(entry, locked={HOST.id: entry.digest}))


@pytest.mark.parametrize("field", ["name", "purpose", "data", "place", "transfer"])
def test_a_published_entry_that_was_changed_is_refused(field: str) -> None:
    (fault,) = _faults(_changed(**{field: "Elsewhere"}))
    assert "host was changed after it was published" in fault


def test_an_entry_announced_yesterday_for_today_is_refused() -> None:
    (fault,) = _faults(_changed(effective=_DAY + timedelta(days=1)), locked={})[:1]
    assert "less than 30 days" in fault


def test_a_published_entry_cannot_vanish_or_come_without_the_lock() -> None:
    assert "host was published and is missing" in _faults(DRAFT)[0]
    assert "host is not in the lock" in _faults(HOST, locked={})[0]
    assert "two entries have the same id" in _faults(HOST, HOST)


def test_an_own_list_is_read_with_the_lock_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text(_TOML, "utf-8")
    with pytest.raises(CannotStart, match="has no lock beside it"):
        subprocessors.load(path)
    subprocessors.lock_of(path).write_text(subprocessors.sums(subprocessors.read(path)), "ascii")
    assert subprocessors.load(path) == (HOST,)
    path.write_text(_TOML.replace("Germany", "Elsewhere"), "utf-8")
    with pytest.raises(CannotStart, match="host was changed after it was published"):
        subprocessors.load(path)


@pytest.mark.parametrize(
    "changed",
    [("id", "ident"), ('"host"', '"Host!"'), ("2027-01-31", '"soon"'), ('"Servers"', '""'), ("[[sub", "[sub")],
    ids=range(5),
)
def test_a_list_that_is_not_one_is_refused(tmp_path: Path, changed: tuple[str, str]) -> None:
    path = tmp_path / "own.toml"
    path.write_text(_TOML.replace(*changed, 1), "utf-8")
    with pytest.raises(CannotStart, match="cannot be read, or has an entry"):
        subprocessors.read(path)


def test_notices_have_an_id_for_ever_and_are_of_published_entries_alone() -> None:
    (notice,) = subprocessors.notices((HOST, DRAFT))
    assert (str(notice.notice_id), notice.name) == ("04fefcf4-5adc-5b50-bf3e-21e209404946", "Example Hosting")
    assert subprocessors.notices((_changed(ended=_DAY),)) == ()


def test_no_notice_is_sent_before_the_operator_is_named() -> None:
    named = Facts(company="a", address="b", contact="c@example.com", security_contact="d@example.com",
                  governing_law="e")  # fmt: skip
    (notice,) = Library(named, {}, (HOST,)).notices
    assert notice.name == HOST.name
    assert Library(Facts(company="a"), {}, (HOST,)).notices == ()
