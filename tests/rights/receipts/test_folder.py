"""The folder keeps whole files, on the disk, and never replaces one."""

import os
import resource
import stat
import subprocess
import sys
import threading
from pathlib import Path
from uuid import uuid4

import pytest

from ingest.errors import CannotStart
from ingest.rights.receipts import settings
from ingest.rights.receipts.errors import AlreadyWritten, FolderUnusable
from ingest.rights.receipts.folder import Folder
from ingest.rights.receipts.settings import ReceiptSettings
from tests.support import service
from tests.support.receipts import ERASURE_ID


@pytest.fixture
def folder(tmp_path: Path) -> Folder:
    return Folder(str(tmp_path))


def test_what_is_written_is_listed_and_read_back(folder: Folder, tmp_path: Path) -> None:
    assert (folder.ordered(), folder.order(ERASURE_ID), folder.receipts(ERASURE_ID)) == (set(), None, [])
    folder.write_order(ERASURE_ID, b"order\n")
    folder.write_receipt(ERASURE_ID, 1, b"first\n")
    folder.write_receipt(ERASURE_ID, 2, b"second\n")
    assert folder.ordered() == {ERASURE_ID}
    assert folder.order(ERASURE_ID) == b"order\n"
    assert folder.receipts(ERASURE_ID) == [b"first\n", b"second\n"]
    names = {f"{ERASURE_ID}.{rest}.json" for rest in ("order", "receipt", "receipt-2")}
    assert {path.name for path in tmp_path.iterdir()} == names
    assert {stat.S_IMODE(path.stat().st_mode) for path in tmp_path.iterdir()} == {0o440}


def test_a_file_is_never_replaced(folder: Folder, tmp_path: Path) -> None:
    folder.write_order(ERASURE_ID, b"order\n")
    inode = (tmp_path / f"{ERASURE_ID}.order.json").stat().st_ino
    folder.write_order(ERASURE_ID, b"order\n")
    for other in (b"", b"orde", b"order\n\n"):  # A cut file is not mended in silence either.
        with pytest.raises(AlreadyWritten):
            folder.write_order(ERASURE_ID, other)
    assert (tmp_path / f"{ERASURE_ID}.order.json").stat().st_ino == inode
    assert folder.order(ERASURE_ID) == b"order\n"


def test_of_many_writers_with_different_bytes_one_wins(folder: Folder, tmp_path: Path) -> None:
    refused: list[bytes] = []
    ready = threading.Barrier(8)

    def write(raw: bytes) -> None:
        ready.wait()
        try:
            folder.write_order(ERASURE_ID, raw)
        except (AlreadyWritten, FolderUnusable):
            refused.append(raw)

    threads = [threading.Thread(target=write, args=(bytes([number]) * 9,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert folder.order(ERASURE_ID) in {bytes([number]) * 9 for number in range(8)}
    assert folder.order(ERASURE_ID) not in refused
    assert (len(refused), len(list(tmp_path.iterdir()))) == (7, 1)


def test_a_full_disk_leaves_nothing_behind(folder: Folder, tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, hard))  # Python ignores SIGXFSZ; a write fails with EFBIG.
    try:
        with pytest.raises(FolderUnusable):
            folder.write_order(ERASURE_ID, bytes(5_000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert list(tmp_path.iterdir()) == []
    folder.write_order(ERASURE_ID, bytes(5_000))


_WRITER = """
import sys, uuid
from ingest.rights.receipts.folder import Folder
folder = Folder(sys.argv[1])
print("ready", flush=True)
while True:
    folder.write_order(uuid.uuid4(), b"x" * 200_000)
"""


def test_a_killed_writer_leaves_whole_files_and_nothing_that_is_listed_beside_them(tmp_path: Path) -> None:
    writer = subprocess.Popen([sys.executable, "-c", _WRITER, str(tmp_path)], cwd=service.ROOT, stdout=subprocess.PIPE)
    assert writer.stdout is not None
    with writer.stdout:
        writer.stdout.readline()
        service.wait_until(lambda: len(list(tmp_path.iterdir())) > 20)
        writer.kill()
    writer.wait()
    folder = Folder(str(tmp_path))
    assert {folder.order(each) for each in folder.ordered()} == {b"x" * 200_000}


def test_only_names_of_orders_are_listed(folder: Folder, tmp_path: Path) -> None:
    for name in ("x.order.json", f"{ERASURE_ID}.order.json.part", f".{ERASURE_ID}.order.json", f"{ERASURE_ID}.json"):
        (tmp_path / name).touch()
    (tmp_path / f"{str(ERASURE_ID).upper()}.order.json").touch()
    assert folder.ordered() == set()


def test_a_link_is_not_followed_and_a_pipe_is_not_waited_for(folder: Folder, tmp_path: Path) -> None:
    linked, piped = uuid4(), uuid4()
    (tmp_path / f"{linked}.order.json").symlink_to("/etc/hostname")
    os.mkfifo(tmp_path / f"{piped}.order.json")
    with pytest.raises(FolderUnusable):
        folder.order(linked)
    assert folder.order(piped) == b""  # Not a document.


@pytest.mark.parametrize("kind", ["missing", "a file", "open to anybody", "NUL"])
def test_an_unusable_folder_stops_the_start_without_its_name(kind: str, tmp_path: Path) -> None:
    path = tmp_path / "folder"
    if kind == "a file":
        path.touch()
    if kind == "open to anybody":
        path.mkdir()
        path.chmod(0o777)
    with pytest.raises(CannotStart, match="NOCONTENT_ERASURES_DIR") as caught:
        settings.folder(ReceiptSettings(erasures_dir=f"{path}\0" if kind == "NUL" else str(path)))
    assert str(tmp_path) not in str(caught.value)


def test_a_folder_that_is_removed_meanwhile_is_an_error_and_not_empty(tmp_path: Path) -> None:
    path = tmp_path / "folder"
    path.mkdir()
    folder = Folder(str(path))
    path.rmdir()
    for act in (folder.ordered, lambda: folder.write_order(ERASURE_ID, b"x")):
        with pytest.raises(FolderUnusable):
            act()
