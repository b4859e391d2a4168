"""Sets of public keys: what is published, and what is refused in a file that should have them."""

from pathlib import Path

import msgspec
import pytest

from ingest.errors import CannotStart
from ingest.rights.receipts import keys, signing
from ingest.rights.receipts.keys import KeySet
from tests.support.receipts import KEY, KEYS

SETTING = "NOCONTENT_RECEIPT_PUBLIC_KEYS_FILE"


def test_a_set_is_read_as_it_was_written_and_has_no_private_part() -> None:
    both = KEYS.with_key(signing.generate().public)
    raw = keys.encode(both)
    assert keys.decode(raw) == both
    assert [set(key) for key in msgspec.json.decode(raw)["keys"]] == [{"alg", "crv", "kid", "kty", "use", "x"}] * 2


def test_a_key_is_added_once() -> None:
    assert KEYS.with_key(KEY.public) == KEYS


def test_the_id_of_a_key_is_the_start_of_its_sha_256() -> None:
    # The public key of the first test of RFC 8032, section 7.1, and of RFC 8037, appendix A.2.
    raw = bytes.fromhex("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
    made = keys.public_key(raw)
    assert (made.x, made.kid) == ("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo", "21fe31dfa154a261")
    assert made.raw() == raw


def altered(**changed: object) -> bytes:
    return msgspec.json.encode({"keys": [msgspec.to_builtins(KEY.public) | changed]})


@pytest.mark.parametrize(
    "raw",
    [
        b"",
        b"{}}",
        b"[" * 100_000,
        KEY.pem(),
        altered(d="the private part"),
        altered(kid="0" * 16),
        altered(x="A" * 43),
        altered(x=KEY.public.x[:-1] + "!"),
        altered(kty="RSA"),
        msgspec.json.encode({"keys": [KEY.public] * (keys.KEYS_MAX + 1)}),
    ],
)
def test_a_file_that_is_no_set_of_public_keys_is_refused_without_its_content(raw: bytes, tmp_path: Path) -> None:
    file = tmp_path / "keys"
    file.write_bytes(raw)
    with pytest.raises(CannotStart) as caught:
        keys.read(SETTING, str(file))
    assert str(caught.value) == f"{SETTING} names a file that is not a set of Ed25519 public keys."


def test_no_file_is_no_key_and_a_missing_file_is_refused(tmp_path: Path) -> None:
    assert keys.read(SETTING, "") == KeySet()
    with pytest.raises(CannotStart, match="cannot be read"):
        keys.read(SETTING, str(tmp_path / "missing"))
