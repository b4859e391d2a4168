"""The file of keys: its form, its mode, and its rotation while workers run."""

from pathlib import Path

import pytest

from ingest.accounts.sessions import Cookie
from ingest.errors import CannotStart
from ingest.knowledge import keys
from ingest.knowledge.keys import KeyFile, Keys


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "session-keys"


def test_a_new_file_has_one_key_and_only_its_owner_may_read_it(path: Path) -> None:
    made = keys.write(path)
    assert path.stat().st_mode & 0o777 == 0o600
    assert KeyFile(path).keys() == made
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_a_rotation_keeps_the_key_that_signed(path: Path) -> None:
    first, second, third = keys.write(path), keys.write(path), keys.write(path)
    assert second.own[1:] == first.own
    assert third.own[1:] == second.own[:1]
    old = Cookie.make(first)
    assert Cookie.read(second, old.value) == old.digest
    assert Cookie.read(third, old.value) is None


def test_a_running_worker_follows_the_file(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keys, "_LOOK_AGAIN_S", 0.0)
    before = keys.write(path)
    known = KeyFile(path)
    assert known.keys() == before
    after = keys.write(path)
    assert known.keys() == after
    path.write_text("damaged\n")
    assert known.keys() == after
    path.unlink()
    assert known.keys() == after


_LINE = "00000000 " + "A" * 43


@pytest.mark.parametrize(
    "text",
    ["", "\n", "x", _LINE[:-1], f"{_LINE}\n{_LINE}\n", f"{_LINE}\n1{_LINE[1:]}\n2{_LINE[1:]}\n", "\u00e9", _LINE * 999],
)
def test_a_file_that_is_not_one_of_keys_stops_the_start(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o600)
    with pytest.raises(CannotStart) as caught:
        KeyFile(path)
    assert "AAAA" not in str(caught.value)


def test_a_file_that_others_may_open_stops_the_start(path: Path) -> None:
    keys.write(path)
    path.chmod(0o604)
    with pytest.raises(CannotStart, match="0600"):
        KeyFile(path)
    path.chmod(0o640)  # As Kubernetes mounts it.
    KeyFile(path)


def test_an_absent_file_stops_the_start(path: Path) -> None:
    with pytest.raises(CannotStart, match="keygen"):
        KeyFile(path)
    with pytest.raises(CannotStart):
        keys.write(path / "absent" / "keys")


def test_no_representation_shows_a_key(path: Path) -> None:
    made = keys.write(path)
    shown = repr(made) + repr(Cookie.make(made)) + repr(Keys.make())
    assert str(made.first).split()[1] not in shown
    assert "secret" not in shown


def test_parts_of_a_signed_message_do_not_run_into_each_other() -> None:
    key = Keys.make().first
    assert key.sign("a", b"bc") != key.sign("ab", b"c") != key.sign("a", b"b", b"c")
