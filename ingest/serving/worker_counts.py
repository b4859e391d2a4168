"""Keeps the workers' metrics in files of a folder, each written by one process; the parent sums them for /metrics."""

import os
import re
import shutil
import stat
import sys
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from prometheus_client import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from ingest import config, logs
from ingest.errors import CannotStart
from ingest.serving import process

FREE_BYTES_MIN = 16_777_216  # A file that cannot grow would end its process by SIGBUS.
_OWNER = re.compile(re.escape(config.COUNTS_PREFIX) + r"([0-9]{1,9})-.*", re.DOTALL | re.ASCII)
_READS_MAX = 3
_LOST_LINES = "ingest_log_lines_lost"


class WorkerCounts(Collector):
    """Creates the folder, and a new one if something, such as a cleaner of /tmp, has removed it."""

    def __init__(self) -> None:
        _remove_left()
        self._folder = _make()

    def close(self) -> None:
        shutil.rmtree(self._folder, ignore_errors=True)

    def has(self, pids: Iterable[int]) -> bool:
        """Return whether the folder has the counts of each of these workers."""
        return self._folder.is_dir() and all((self._folder / f"counter_{pid}.db").exists() for pid in pids)

    def renew(self) -> None:
        """Create a new folder for workers that start from now on, or raise CannotStart."""
        self.close()
        self._folder = _make()

    def collect(self) -> Iterator[Metric]:
        for family in self._families():
            if family.name == _LOST_LINES:
                own = logs.lost()
                family.samples = [
                    sample._replace(value=sample.value + own[sample.labels["reason"]]) for sample in family.samples
                ]
            yield family

    def _families(self) -> list[Metric]:
        for _ in range(_READS_MAX):
            files = [str(file) for file in self._folder.glob("*.db") if _size(file)]  # A new one is empty.
            with suppress(FileNotFoundError):  # A worker has ended since.
                return list(MultiProcessCollector.merge(files))  # type: ignore[no-untyped-call]  # The library's.
        return []


def reserve() -> None:
    """Allocate the disk space of this worker's files: with a full disk a new series would end it by SIGBUS."""
    folder = config.counts_folder()
    if folder is None or sys.platform == "darwin":  # macOS has no such call.
        return
    for file in folder.glob(f"*_{os.getpid()}.db"):
        with file.open("r+b") as opened:
            os.posix_fallocate(opened.fileno(), 0, _size(file))


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0


def _make() -> Path:
    try:
        folder = tempfile.mkdtemp(prefix=f"{config.COUNTS_PREFIX}{os.getpid()}-")
        if shutil.disk_usage(folder).free < FREE_BYTES_MIN:
            shutil.rmtree(folder, ignore_errors=True)
            raise CannotStart("The disk of the folder for temporary files is full (TMPDIR, or /tmp).")
    except OSError:
        raise CannotStart("No folder for temporary files is writable: set TMPDIR to one that is.") from None
    config.export("PROMETHEUS_MULTIPROC_DIR", folder)
    return Path(folder)


def _remove_left() -> None:
    """Remove the folders of parents that were killed."""
    with suppress(OSError):
        for left in Path(tempfile.gettempdir()).iterdir():
            named = _OWNER.fullmatch(left.name)
            if named is not None and _is_own_folder(left) and _has_ended(int(named[1])):
                shutil.rmtree(left, ignore_errors=True)


def _is_own_folder(path: Path) -> bool:
    """Return whether this is a folder of this user, and not a link: anybody may create files there."""
    try:
        found = path.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid()


def _has_ended(pid: int) -> bool:
    # Our own id was used before: in a container it is 1 at every start.
    return pid == os.getpid() or not process.is_running(pid)
