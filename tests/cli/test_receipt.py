"""`receipt`: keys are made and never replaced, and a receipt is checked without a database."""

import io
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from ingest.rights.receipts import keys, signing
from ingest.rights.receipts.keys import KeySet
from tests.support import receipts, service
from tests.support.command import Run, runner
from tests.support.receipts import KEY, KEYS
from tests.support.service import ROOT

EXAMPLES = ROOT / "docs" / "examples"
PAGE = ROOT / "docs" / "receipts.md"


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """Return a function that runs command lines without any database."""
    monkeypatch.delenv("NOCONTENT_DSN", raising=False)
    return runner(capsys)


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """Return a folder with an order, its receipt and the public keys."""
    ordered = receipts.order()
    (tmp_path / "order").write_bytes(signing.sign(ordered, KEY))
    (tmp_path / "receipt").write_bytes(signing.sign(receipts.receipt(ordered), KEY))
    (tmp_path / "keys").write_bytes(keys.encode(KEYS))
    return tmp_path


def test_the_example_of_the_page_verifies_with_the_words_of_the_page(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    (block,) = re.findall(r"^```text\n(valid.*?)^```", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    monkeypatch.chdir(EXAMPLES)  # Whose path may have a space, where a line is split.
    assert run("receipt verify receipt.json --key receipt-keys.json --order order.json") == (0, block, "")


def test_the_program_of_the_page_verifies_the_example_and_notices_a_change(tmp_path: Path) -> None:
    (program,) = re.findall(r"^```python\n(.*?)^```", PAGE.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    (tmp_path / "docs").mkdir()
    copied = tmp_path / "docs" / "examples"
    subprocess.run(["cp", "-r", EXAMPLES, copied], check=True)
    good = subprocess.run([sys.executable, "-W", "ignore", "-c", program], cwd=tmp_path, check=False)
    changed = copied / "receipt.json"
    changed.write_bytes(changed.read_bytes().replace(b'"erased":48213', b'"erased":48214'))
    bad = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program], cwd=tmp_path, check=False, capture_output=True, text=True
    )
    assert (good.returncode, bad.returncode) == (0, 1)
    assert "InvalidSignature" in bad.stderr


def test_a_receipt_with_one_byte_changed_is_not_valid(run: Run, files: Path) -> None:
    receipt = files / "receipt"
    receipt.write_bytes(receipt.read_bytes().replace(b'"erased":20000000', b'"erased":20000001'))
    status, said, errors = run(f"receipt verify {receipt} --key {files}/keys")
    assert (status, errors) == (1, "")
    assert said.startswith("not valid: ")
    assert said.endswith("(receipt.bad-signature)\n")


def test_a_receipt_of_another_order_is_not_valid(run: Run, files: Path) -> None:
    line = f"receipt verify {files}/receipt --key {files}/keys --order"
    (files / "other").write_bytes(signing.sign(receipts.order(), KEY))  # With another salt.
    statuses = [run(f"{line} {files}/{name}")[0] for name in ("order", "other", "receipt")]
    assert statuses == [0, 1, 1]


def test_a_file_that_is_no_receipt_is_not_valid_and_is_not_quoted(run: Run, files: Path) -> None:
    (files / "other").write_text('{"document":{"kind":"order","secret":"sk-0123"}}')
    for act in ("verify", "show"):
        keyed = f" --key {files}/keys" if act == "verify" else ""
        status, said, errors = run(f"receipt {act} {files}/other{keyed}")
        assert status == 1
        assert "receipt.unknown-field" in said
        assert "secret" not in said + errors


@pytest.mark.parametrize(
    "line",
    [
        "receipt verify {}/missing --key {}/keys",
        "receipt verify {}/receipt",
        "receipt verify {}/receipt --key {}/order",
    ],
)
def test_what_cannot_be_checked_is_neither_valid_nor_invalid(run: Run, files: Path, line: str) -> None:
    status, said, errors = run(line.replace("{}", str(files)))
    assert (status, said, errors.count("\n")) == (2, "", 1)
    assert str(files) not in errors


def test_the_keys_are_those_of_the_settings_or_one_in_pem(
    run: Run, files: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    public = Ed25519PublicKey.from_public_bytes(KEY.public.raw())
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    (files / "pem").write_bytes(public.public_bytes(serialization.Encoding.PEM, form))
    assert run(f"receipt verify {files}/receipt --key {files}/pem")[0] == 0
    monkeypatch.setenv("NOCONTENT_RECEIPT_PUBLIC_KEYS_FILE", str(files / "keys"))
    assert run(f"receipt verify {files}/receipt")[0] == 0
    assert run("receipt keys") == (0, keys.encode(KEYS).decode(), "")


def test_a_receipt_is_read_from_standard_input(run: Run, files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO((files / "receipt").read_bytes())))
    assert run(f"receipt verify - --key {files}/keys")[0] == 0


def test_show_prints_the_content_and_that_it_checked_nothing(run: Run, files: Path) -> None:
    status, said, _ = run(f"receipt show {files}/order")
    assert status == 0
    assert said.startswith("not checked")
    assert "everything" in said


def test_a_key_is_made_for_its_owner_alone_and_its_public_half_joins_the_older_ones(run: Run, tmp_path: Path) -> None:
    public = tmp_path / "public"
    ids = [run(f"receipt keygen {tmp_path}/key{number} {public}")[1].strip() for number in range(2)]
    assert [key.kid for key in keys.decode(public.read_bytes()).keys] == ids
    for number, key_id in enumerate(ids):
        file = tmp_path / f"key{number}"
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert signing.read_key("x", str(file)).public.kid == key_id
    assert {path.name for path in tmp_path.iterdir()} == {"key0", "key1", "public"}


def test_a_key_is_never_replaced(run: Run, tmp_path: Path) -> None:
    assert run(f"receipt keygen {tmp_path}/key {tmp_path}/public")[0] == 0
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    status, said, errors = run(f"receipt keygen {tmp_path}/key {tmp_path}/public")
    assert (status, said) == (2, "")
    assert "never overwritten" in errors
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_another_file_is_not_taken_for_the_public_keys(run: Run, tmp_path: Path) -> None:
    (tmp_path / "public").write_text("notes")
    assert run(f"receipt keygen {tmp_path}/key {tmp_path}/public")[0] == 2
    assert {path.name for path in tmp_path.iterdir()} == {"public"}
    assert keys.read("x", "") == KeySet()


# As if the extra `rights` were not installed.
_HIDDEN = "import sys\nsys.modules['cryptography'] = None\n"


def test_without_cryptography_the_service_is_whole_and_a_check_says_what_it_needs(files: Path) -> None:
    (files / "sitecustomize.py").write_text(_HIDDEN)
    env = service.environment("") | {"PYTHONPATH": f"{files}:{ROOT}"}
    subprocess.run([sys.executable, "-c", "import ingest.reports.app, ingest.cli.jobs"], env=env, check=True)
    ended = service.command("receipt", "verify", str(files / "receipt"), "--key", str(files / "keys"), env=env)
    assert ended.returncode == 2
    assert b"extra `rights`" in ended.stderr
    assert service.command("receipt", "show", str(files / "receipt"), env=env).returncode == 0
