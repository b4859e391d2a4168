"""Other users of the machine, cleaners of /tmp, and files in the current folder have no influence."""

import contextlib
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path

import pytest

from ingest.demo import local_service
from ingest.errors import CannotStart
from ingest.serving import worker_counts
from ingest.serving.worker_counts import WorkerCounts
from tests.support import customers, sample, service
from tests.support.cluster import Cluster
from tests.support.customers import CustomerSpec
from tests.support.service import ROOT, Server, wait_until
from tests.support.wire import Sender

_SOMEBODY = 54_321  # A user id that is not ours.
_WRAPPER = ROOT / ".venv/bin/nocontent"
_SHADOWS = ("orjson", "msgspec", "asyncpg", "uvloop", "json", "multiprocessing", "ingest", "schema", "sitecustomize")


@pytest.fixture
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a private folder for temporary files, used by this process too."""
    folder = tmp_path / "tmp"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    # What WorkerCounts exports would outlive the test, and break processes that later tests start.
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(folder))
    return folder


@pytest.mark.parametrize(
    "name",
    [
        "", "-", "x-y", "²-x", "٣-x", "99999999999999999999999-x", "0-x", "00-x", "-1-x", "1e9-x", "999999999-\n",
        "999999999-\udcff", "4194305",
    ],
)  # fmt: skip
@pytest.mark.parametrize("kind", ["folder", "file", "link", "loop", "pipe"])
def test_nothing_that_lies_in_tmp_keeps_us_from_starting(name: str, kind: str, temporary: Path) -> None:
    left = temporary / f"nocontent-metrics-{name}"
    makers: Mapping[str, Callable[[], object]] = {
        "folder": left.mkdir,
        "file": left.touch,
        "link": lambda: left.symlink_to("/etc"),
        "loop": lambda: left.symlink_to(left),
        "pipe": lambda: os.mkfifo(left),
    }
    makers[kind]()
    counts = WorkerCounts()
    assert counts.has(())
    counts.close()
    assert kind == "folder" or left.is_symlink() or left.exists()


def test_of_what_is_left_only_our_own_folders_of_ended_processes_are_removed(temporary: Path) -> None:
    ended = subprocess.run([sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True)
    names = {"ended": int(ended.stdout), "own": os.getpid(), "running": os.getppid(), "another's": int(ended.stdout)}
    folders = {name: temporary / f"nocontent-metrics-{pid}-{name}" for name, pid in names.items()}
    for folder in folders.values():
        folder.mkdir()
    if os.geteuid() == 0:
        os.chown(folders["another's"], _SOMEBODY, _SOMEBODY)
    counts = WorkerCounts()
    assert not folders["ended"].exists()
    assert not folders["own"].exists()  # In a container every start is process 1.
    assert folders["running"].exists()
    assert folders["another's"].exists() == (os.geteuid() == 0)
    counts.close()


def test_a_folder_that_cannot_be_made_is_a_sentence(temporary: Path) -> None:
    shutil.rmtree(temporary)
    with pytest.raises(CannotStart, match="TMPDIR"):
        WorkerCounts()
    temporary.symlink_to("/proc")
    with pytest.raises(CannotStart, match="TMPDIR"):
        WorkerCounts()


def test_a_full_disk_is_a_sentence(temporary: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(worker_counts, "FREE_BYTES_MIN", 1 << 62)
    with pytest.raises(CannotStart, match="full"):
        WorkerCounts()
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize("variable", ["PROMETHEUS_MULTIPROC_DIR", "prometheus_multiproc_dir"])
def test_a_folder_for_counts_that_somebody_else_named_is_not_ours(variable: str, tmp_path: Path) -> None:
    env = service.environment("") | {variable: str(tmp_path / "nothing")}
    assert service.command("policy", env=env).returncode == 0


_PLACES: dict[str, dict[str, str]] = {
    "no home": {"HOME": ""},
    "a home that is not there": {"HOME": "/nothing/here"},
    "a folder for temporary files that is not there": {"TMPDIR": "/nothing/here"},
    "one that is no folder": {"TMPDIR": "/dev/null"},
}


def test_counts_that_are_removed_come_back_and_an_honest_batch_is_stored(postgres: Cluster, tmp_path: Path) -> None:
    """Without a home, with a folder of our own for temporary files, beside files that others have put there."""
    dsn = postgres.migrated()
    token = customers.act(dsn, lambda connection: customers.add(connection, "main", CustomerSpec())).token
    temporary = tmp_path / "tmp"
    (temporary / "nocontent-metrics-²-x").mkdir(parents=True)
    log = tmp_path / "log"
    with (
        _with({"TMPDIR": str(temporary), "HOME": ""}, 0o000),
        service.serving(dsn, log, workers=1) as server,
        contextlib.closing(server.sender(token)) as sender,
        contextlib.closing(Sender(server.metrics_bind)) as scraper,
    ):
        (counts,) = temporary.glob("nocontent-metrics-[0-9]*")
        assert stat.S_IMODE(counts.stat().st_mode) == 0o700
        sizes = [file.stat() for file in counts.iterdir()]  # Allocated in full: a full disk cannot hit them later.
        assert sizes
        assert all(size.st_blocks * 512 >= size.st_size for size in sizes)
        for times in (1, 2):
            old = server.workers()
            for counts in temporary.glob("nocontent-metrics-[0-9]*"):
                shutil.rmtree(counts)
            sender.close()  # The connection may be of an old worker.
            assert sender.post(sample.body()).status == 200
            assert scraper.get("/metrics").status == 200
            if times == 2:  # This time an operator acts before the parent notices.
                server.process.send_signal(signal.SIGHUP)
            wait_until(partial(_are_replaced, server, old), log.read_text)
            wait_until(lambda: "ingest_workers 1.0" in scraper.get("/metrics").body.decode())
            wait_until(partial(_has, log, "worker-replaced", times), log.read_text)
            assert _has(log, "counts-lost", times)


def _are_replaced(server: Server, old: Sequence[int]) -> bool:
    new = server.workers()
    return bool(new) and set(old).isdisjoint(new)


def _has(log: Path, event: str, times: int) -> bool:
    return log.read_text().count(f'"event":"{event}"') == times


@pytest.mark.parametrize("place", _PLACES)
def test_a_command_works_wherever_it_is(place: str, shared_database: str) -> None:
    ended = service.command("maintain", env=service.environment(shared_database) | _PLACES[place])
    assert (ended.returncode, ended.stderr) == (0, b"")


@contextlib.contextmanager
def _with(variables: Mapping[str, str], umask: int) -> Iterator[None]:
    """Yield the environment that a child inherits."""
    with pytest.MonkeyPatch.context() as patch:
        for name, value in variables.items():
            patch.setenv(name, value)
        before = os.umask(umask)
        try:
            yield
        finally:
            os.umask(before)


@pytest.fixture
def trap(tmp_path: Path) -> Path:
    """Return a folder with modules named like ours that report their import."""
    folder = tmp_path / "a trap"
    folder.mkdir()
    for name in _SHADOWS:
        (folder / f"{name}.py").write_text(f"open({str(tmp_path / 'sprung')!r}, 'a').write({name!r})\n")
    return folder


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """Return a checkout in a path with a blank, with the command that make created."""
    made = tmp_path / "a b" / "checkout"
    (made / ".venv/bin").mkdir(parents=True)
    for name in ("ingest", "schema"):
        (made / name).symlink_to(ROOT / name)
    shutil.copy(_WRAPPER, made / ".venv/bin/nocontent")
    python = made / ".venv/bin/python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    return made


def _called(checkout: Path, tmp_path: Path, how: str) -> list[str]:
    command = checkout / ".venv/bin/nocontent"
    link = tmp_path / "a link"
    if how == "a link":
        link.symlink_to(command)
    elif how == "a link to a link, relative":
        (tmp_path / "first").symlink_to(os.path.relpath(command, tmp_path))
        link.symlink_to("first")
    elif how == "a link to its folder":
        (tmp_path / "programs").symlink_to(command.parent)
        return [str(tmp_path / "programs/nocontent")]
    elif how == "a relative path":
        return [os.path.relpath(command, tmp_path / "a trap")]
    elif how == "the search path":
        return ["/usr/bin/env", f"PATH={command.parent}:{os.environ['PATH']}", "nocontent"]
    return [str(link if link.is_symlink() else command)]


_WAYS = (
    "its path", "a link", "a link to a link, relative", "a link to its folder", "a relative path", "the search path",
)  # fmt: skip


@pytest.mark.parametrize("how", _WAYS)
def test_the_command_finds_its_checkout_and_nothing_of_the_current_folder(
    how: str, checkout: Path, trap: Path, tmp_path: Path
) -> None:
    env = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "PROMETHEUS"))},
        "CDPATH": f".:{tmp_path}:/", "PYTHONPATH": f":.:{trap}", "PYTHONSTARTUP": str(trap / "orjson.py"),
    }  # fmt: skip
    ended = subprocess.run(
        [*_called(checkout, tmp_path, how), "policy", "--capacity"], cwd=trap, env=env, capture_output=True, timeout=60,
        check=False,
    )  # fmt: skip
    assert (ended.returncode, ended.stderr) == (0, b"")
    assert not (tmp_path / "sprung").exists()


def test_no_process_that_we_start_imports_from_the_current_folder(
    postgres: Cluster, checkout: Path, trap: Path, tmp_path: Path
) -> None:
    """`demo` starts `serve`, which starts workers, and clients, of which this checkout lacks the reporter."""
    env = service.environment(postgres.migrated(), data_dir=tmp_path / "data")
    env |= {"NOCONTENT_BIND": _free(), "NOCONTENT_METRICS_BIND": _free()}
    command = [str(checkout / ".venv/bin/nocontent"), "demo", "--once"]
    ended = subprocess.run(command, cwd=trap, env=env, capture_output=True, timeout=110, check=False)
    assert ended.returncode == 0, ended.stderr
    assert b"left out: nocontent-reporter is not installed\n" in ended.stdout
    assert not (tmp_path / "sprung").exists()
    modes = {file.name: stat.S_IMODE(file.stat().st_mode) for file in (tmp_path / "data").iterdir() if file.is_file()}
    assert modes == {"token": 0o600, "batch.json": 0o600, "serve.log": 0o600}


def _free() -> str:
    return f"127.0.0.1:{service.free_ports(1)[0]}"


def test_what_we_keep_goes_through_no_link_of_somebody_else(tmp_path: Path) -> None:
    target = tmp_path / "precious"
    target.write_text("mine")
    (tmp_path / "token").symlink_to(target)
    with local_service.own_file(tmp_path / "token") as file:
        file.write(b"secret")
    assert target.read_text() == "mine"
    assert (tmp_path / "token").read_bytes() == b"secret"


@pytest.mark.parametrize("where", ["/dev/null", "/proc/nothing", "a file", "a loop"])
def test_a_data_folder_that_cannot_be_is_a_sentence(where: str, tmp_path: Path) -> None:
    (tmp_path / "a file").touch()
    (tmp_path / "a loop").symlink_to("a loop")
    ended = service.command("demo", "--once", env=service.environment("", dsn_file="", data_dir=tmp_path / where))
    assert ended.returncode == 2
    with pytest.raises(CannotStart, match="NOCONTENT_DATA_DIR"):
        local_service.own_folder(tmp_path / where)
