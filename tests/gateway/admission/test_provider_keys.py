"""Keys that the operator keeps: which files are one, when they are read again, and that none is ever printed."""

import pickle
from pathlib import Path

import pytest

from ingest.errors import CannotStart
from ingest.gateway.admission import provider_keys
from ingest.gateway.admission.provider_keys import ProviderKey, ProviderKeys
from tests.support.service import Logged

KEY = b"sk-ant-api03-secret"


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(provider_keys, "_LOOK_AGAIN_S", 0.0)


def write(folder: Path, content: bytes, mode: int = 0o600) -> Path:
    path = folder / "7-anthropic"
    path.write_bytes(content)
    path.chmod(mode)
    return path


def exposed(found: ProviderKey | None) -> bytes | None:
    return None if found is None else found.expose()


def test_a_file_belongs_to_one_tenant_and_provider(tmp_path: Path) -> None:
    write(tmp_path, KEY + b"\n")
    kept = ProviderKeys(str(tmp_path))
    assert exposed(kept.find(7, "anthropic")) == KEY
    assert kept.find(7, "openai") is None
    assert kept.find(77, "anthropic") is None
    assert ProviderKeys("").find(7, "anthropic") is None


def test_a_key_is_followed_when_it_is_replaced_comes_or_goes(tmp_path: Path) -> None:
    kept = ProviderKeys(str(tmp_path))
    assert kept.find(7, "anthropic") is None
    path = write(tmp_path, KEY)
    first = kept.find(7, "anthropic")
    assert exposed(first) == KEY
    assert kept.find(7, "anthropic") is first  # It is not read again.
    write(tmp_path, KEY + b"-next")
    assert exposed(kept.find(7, "anthropic")) == KEY + b"-next"
    path.unlink()
    assert kept.find(7, "anthropic") is None


def test_a_folder_of_links_is_followed_as_kubernetes_replaces_them(tmp_path: Path) -> None:
    for version in ("one", "two"):
        (tmp_path / version).mkdir()
        write(tmp_path / version, version.encode(), 0o440)
    (tmp_path / "data").symlink_to("one")
    (tmp_path / "7-anthropic").symlink_to("data/7-anthropic")
    kept = ProviderKeys(str(tmp_path))
    assert exposed(kept.find(7, "anthropic")) == b"one"
    (tmp_path / "next").symlink_to("two")
    (tmp_path / "next").rename(tmp_path / "data")
    assert exposed(kept.find(7, "anthropic")) == b"two"


NONE = (b"", b"\n", b"two\nlines", b"k\xc3\xa9y", b"k" * 9_000)


@pytest.mark.parametrize(("content", "mode"), [(KEY, 0o644), (KEY, 0o604), *((each, 0o600) for each in NONE)])
def test_what_others_may_read_or_is_no_key_is_not_used(
    tmp_path: Path, content: bytes, mode: int, logged: Logged
) -> None:
    write(tmp_path, content, mode)
    kept = ProviderKeys(str(tmp_path))
    assert kept.find(7, "anthropic") is None
    [line] = logged()
    assert (line["event"], line["tenant_id"]) == ("provider-key-unusable", 7)
    kept.find(7, "anthropic")
    assert logged() == []  # Once for each version of a file.
    write(tmp_path, KEY)
    assert exposed(kept.find(7, "anthropic")) == KEY


def test_a_key_cannot_be_printed_or_passed_on() -> None:
    key = ProviderKey(KEY)
    assert "secret" not in repr([key])
    for attempt in (str, "{}".format, pickle.dumps, hash, lambda one: one == key, "%s".__mod__):
        with pytest.raises(TypeError) as caught:
            attempt(key)
        assert "secret" not in str(caught.value)


def test_the_setting_names_a_folder(tmp_path: Path) -> None:
    for path in (tmp_path / "none", write(tmp_path, KEY)):
        with pytest.raises(CannotStart) as caught:
            ProviderKeys(str(path))
        assert str(tmp_path) not in str(caught.value)
