"""A PostgreSQL with an archived log, its base backups, and restores from both."""

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from ingest import embedded
from ingest.embedded import EmbeddedServer
from ingest.embedded.process import find_programs, settle
from tests.faults import programs
from tests.faults.pair import configure
from tests.support import cluster, postmaster
from tests.support.service import wait_until

_SETTINGS = {"max_connections": "100", "fsync": "off"}  # Processes are killed and never the machine.
# As in docs/backup.md: never overwrite a file, and never leave half a file under its name.
_ARCHIVE = "test ! -f {folder}/%f && cp %p {folder}/%f.part && mv {folder}/%f.part {folder}/%f"
_RESTORE = "cp {folder}/%f %p || cp {folder}/%f.partial %p"  # The last that was received is not whole.
_RECEIVER = "archive"
_WAITED_FOR = "SELECT FROM pg_stat_replication WHERE application_name = $1 AND sync_state = 'quorum'"
_SWITCH = "SELECT pg_walfile_name(pg_switch_wal()) AS segment"
_ARCHIVED = "SELECT FROM pg_stat_archiver WHERE last_archived_wal >= $1"


class Archive:
    """A folder with a base backup and the log since, sufficient to restore the data."""

    def __init__(self, opened: Path) -> None:
        self._opened = opened
        self.segments = programs.own(opened / "segments")
        self.base = opened / "base"

    @contextlib.contextmanager
    def archived(self) -> Iterator[EmbeddedServer]:
        """Start a server whose log is archived by segment, and delete it with all its files when the block ends."""
        wanted = {"archive_mode": "on", "archive_command": _ARCHIVE.format(folder=self.segments)}
        with self._lost_in_the_end(wanted) as server:
            yield server

    @contextlib.contextmanager
    def received(self) -> Iterator[EmbeddedServer]:
        """Start a server whose log pg_receivewal writes as it is made, and delete it when the block ends."""
        # A migration writes more than a segment, and the receiver has no slot that would keep the last one for it.
        with self._lost_in_the_end({"wal_keep_size": "1GB"}) as server:
            _, account = settle(self.segments)
            program = find_programs(account)[0] / "pg_receivewal"
            connection = f"--dbname=host={cluster.sockets(server.dsn)} user=postgres application_name={_RECEIVER}"
            is_root = os.geteuid() == 0
            self._receiver = subprocess.Popen(
                [program, f"--directory={self.segments}", connection, "--synchronous", "--no-loop"],
                user=account.uid if is_root else None,
                group=account.gid if is_root else None,
                extra_groups=[] if is_root else None,
                cwd="/",
                stderr=subprocess.DEVNULL,
            )
            try:
                yield server
            finally:
                self._receiver.kill()
                self._receiver.wait()

    @staticmethod
    def hold_commits(server: EmbeddedServer) -> None:
        """Make every COMMIT wait from now on until the receiver has it."""
        configure(server, "synchronous_standby_names", f"ANY 1 ({_RECEIVER})")
        wait_until(lambda: bool(cluster.fetch(server.dsn, _WAITED_FOR, _RECEIVER)))

    def freeze_receiver(self) -> None:
        self._receiver.send_signal(signal.SIGSTOP)

    @contextlib.contextmanager
    def _lost_in_the_end(self, settings: dict[str, str]) -> Iterator[EmbeddedServer]:
        with embedded.start(self._opened / "primary", settings=_SETTINGS | settings) as server:
            yield server
            postmaster.kill_all(server.pid)  # A shutdown would archive what was not yet.
        shutil.rmtree(server.data_dir)

    def take_base(self, server: EmbeddedServer) -> None:
        """Copy a running server, and compare the copy with its manifest."""
        programs.copy_server(server, self.base)
        programs.run(self.base, "pg_verifybackup", "--exit-on-error", str(self.base))

    def take_dump(self, source: str, target: str) -> None:
        """Copy our schema from one database into another, by their DSNs."""
        file = f"--file={self.segments / 'dump'}"
        programs.run(self.segments, "pg_dump", "--format=custom", "--schema=nocontent", file, f"--dbname={source}")
        programs.run(self.segments, "pg_restore", "--exit-on-error", f"--dbname={target}", str(self.segments / "dump"))

    def switch(self, server: EmbeddedServer) -> None:
        """Switch the segment, and wait until the old one is archived."""
        (row,) = cluster.fetch(server.dsn, _SWITCH)
        wait_until(lambda: bool(cluster.fetch(server.dsn, _ARCHIVED, row["segment"])))

    @contextlib.contextmanager
    def restored(self, name: str, until: datetime | None = None) -> Iterator[EmbeddedServer]:
        """Restore the archive to its end or to a point in time, in a new folder, and start it."""
        data_dir = self._opened / name
        shutil.copytree(self.base, data_dir)
        (data_dir / "recovery.signal").touch()
        owner = self.base.stat()
        for path in (data_dir, *data_dir.rglob("*")):
            os.chown(path, owner.st_uid, owner.st_gid)
        settings = _SETTINGS | {"restore_command": _RESTORE.format(folder=self.segments)}
        if until is not None:
            settings |= {"recovery_target_time": until.isoformat(), "recovery_target_action": "promote"}
        with embedded.start(data_dir, settings=settings) as server:
            wait_until(lambda: not cluster.fetch(server.dsn, "SELECT pg_is_in_recovery() AS still")[0]["still"])
            yield server
