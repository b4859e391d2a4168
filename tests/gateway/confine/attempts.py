"""A program that confines itself, then tries what it must not be able to do, and what it must.

`python attempts.py ARGUMENTS`, a `Trial` as JSON; the outcomes go to standard output, a word for each attempt.
"""

import asyncio
import ctypes
import errno
import fcntl
import mmap
import os
import resource
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Literal

import msgspec
import uvloop
from msgspec import Struct

from ingest import logs
from ingest.errors import CannotStart
from ingest.gateway.confine import kernel, layers, profile, system_calls
from ingest.gateway.confine.settings import ConfineSettings
from ingest.gateway.confine.system_calls import Numbers

REFUSED, DONE = "refused", "done"
NOBODY = 65_534
_REFUSALS = {errno.EPERM, errno.EACCES}
_TMP_SOCKET = "socket"


class Trial(Struct, frozen=True):
    """How the process is confined, and what surrounds it."""

    folder: str  # The process could write to it.
    allowed_port: int
    other_port: int  # Somebody listens there too.
    readable: str  # A folder of the profile.
    without: str = ""  # Layers that the profile lacks, as the setting has them.
    lock_memory: Literal["required", "tried", "off"] = "tried"
    has_second_thread: bool = False
    confines: Literal["required", "off"] = "required"
    then: Literal["", "crash", "stay"] = ""  # After the attempts; one that stays ends with its standard input.
    user: int = 0  # 0: whoever runs the program.


def main(trial: Trial) -> dict[str, str]:
    """Confine this process, and return the outcome of each attempt."""
    granted = profile.profile([trial.allowed_port], [Path(trial.readable)])
    "x".encode("idna")  # Imported when first used, from a folder that another user may not enter.
    if trial.user:
        os.setgroups([])
        os.setresgid(trial.user, trial.user, trial.user)
        os.setresuid(trial.user, trial.user, trial.user)
        kernel.prctl(kernel.PR_SET_DUMPABLE, 1)  # As of a program that this user has started.
    if trial.has_second_thread:
        threading.Thread(target=time.sleep, args=(60.0,), daemon=True).start()
    hard = resource.RLIM_INFINITY if os.geteuid() == 0 else resource.getrlimit(resource.RLIMIT_CORE)[1]
    with suppress(ValueError):  # Root without the right to.
        resource.setrlimit(resource.RLIMIT_CORE, (hard, hard))
    opened = os.open(Path(trial.folder, "open"), os.O_RDWR | os.O_CREAT)
    listening = socket.create_server(("127.0.0.1", 0))
    logs.warning("library")  # The log's thread runs.
    wanted = ConfineSettings(
        gateway_confine=trial.confines,
        gateway_confine_without=trial.without,
        gateway_lock_memory=trial.lock_memory,
    )
    try:
        found = layers.apply(granted, wanted)
    except CannotStart as failure:
        return {"cannot-start": str(failure)}
    if trial.then:
        return _end(trial)
    outcomes = {name: _outcome(partial(act, trial)) for name, act in ATTEMPTS.items()}
    outcomes |= {f"open-{name}": _outcome(partial(act, opened)) for name, act in ON_OPEN_FILES.items()}
    outcomes["listen"] = _outcome(listening.listen)
    return outcomes | {f"layer-{name}": DONE for name in found}


def _end(trial: Trial) -> dict[str, str]:
    if trial.then == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    print(flush=True)  # noqa: T201 (it is as it will be)
    sys.stdin.read(1)
    return {"may-read-renewed": Path(trial.readable, "key").read_text("utf-8")}


def _outcome(act: Callable[[], object]) -> str:
    try:
        act()
    except OSError as failure:
        return REFUSED if failure.errno in _REFUSALS else errno.errorcode.get(failure.errno or 0, "OSError")
    except ImportError:
        return "ImportError"
    return DONE


def _write(path: Path) -> None:
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT, 0o600))


def _call(numbers: Numbers, *arguments: object) -> int:
    machine = kernel.machine()
    assert machine is not None
    number = numbers.on(machine)
    assert number is not None
    return kernel.call(number, *arguments)


def _denied(name: str, *arguments: object) -> Callable[[Trial], object]:
    return lambda _trial: _call((system_calls.DENIED | system_calls.MODES)[name], *arguments)


def _connect(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), 5):
        pass


def _fast_open(trial: Trial) -> None:
    with socket.socket() as client:
        client.sendto(b"x", socket.MSG_FASTOPEN, ("127.0.0.1", trial.other_port))


def _fork(_trial: Trial) -> None:
    pid = os.fork()
    if pid == 0:
        os._exit(0)
    os.waitpid(pid, 0)


def _start_thread(_trial: Trial) -> None:
    thread = threading.Thread(target=lambda: None)
    thread.start()
    thread.join()


def _write_in_thread(trial: Trial) -> None:
    """Try it in a thread of the loop's pool, as uvloop starts them."""

    async def attempt() -> None:
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(None, _write, Path(trial.folder, "by-thread"))

    uvloop.run(attempt())


async def _look_up() -> None:
    assert await asyncio.get_running_loop().getaddrinfo("localhost", 443)


def _unix_socket(trial: Trial) -> None:
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(Path(trial.folder, _TMP_SOCKET)))


def _abstract_socket(_trial: Trial) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"\0nocontent-attempt-{os.getpid()}")


def _bind(_trial: Trial) -> None:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))


def _protocol(number: int) -> Callable[[Trial], object]:
    return lambda _trial: socket.socket(socket.AF_INET, socket.SOCK_STREAM, number).close()


def _set_core_limit(_trial: Trial) -> None:
    """Set it as it is: `resource` would turn a refusal into a ValueError."""
    _call(system_calls.PRLIMIT64, 0, resource.RLIMIT_CORE, _ADDRESS, 0)


_BUFFER = ctypes.create_string_buffer(4_096)
_ADDRESS = ctypes.addressof(_BUFFER)
_IPPROTO_MPTCP, _IPPROTO_SCTP = 262, 132
_AT_FDCWD = -100
ATTEMPTS: dict[str, Callable[[Trial], object]] = {
    # Landlock: files.
    "write-file": lambda trial: _write(Path(trial.folder, "new")),
    "write-tmp": lambda _trial: _write(Path("/tmp", f"nocontent-attempt-{os.getpid()}")),
    "write-shm": lambda _trial: _write(Path("/dev/shm", f"nocontent-attempt-{os.getpid()}")),
    "write-own-memory": lambda _trial: os.close(os.open("/proc/self/mem", os.O_RDWR)),
    "read-file": lambda trial: Path(trial.folder, "secret").read_bytes(),
    "read-environment": lambda _trial: Path("/proc/self/environ").read_bytes(),
    "truncate-file": lambda trial: os.truncate(Path(trial.folder, "secret"), 0),
    "make-folder": lambda trial: Path(trial.folder, "made").mkdir(),
    "make-link": lambda trial: Path(trial.folder, "link").symlink_to("content"),
    "rename-file": lambda trial: Path(trial.folder, "secret").rename(Path(trial.folder, "renamed")),
    "remove-file": lambda trial: Path(trial.folder, "spare").unlink(),
    "write-unnamed": lambda trial: os.close(os.open(trial.folder, os.O_TMPFILE | os.O_RDWR)),
    "write-device": lambda _trial: os.close(os.open("/dev/null", os.O_WRONLY)),
    "write-in-thread": _write_in_thread,
    # Landlock: the network.
    "connect-elsewhere": lambda trial: _connect(trial.other_port),
    "bind": _bind,
    # Landlock: others.
    "signal-parent": lambda _trial: os.kill(os.getppid(), 0),
    # seccomp.
    "fast-open": _fast_open,
    "unix-socket": _unix_socket,
    "abstract-socket": _abstract_socket,
    "mptcp": _protocol(_IPPROTO_MPTCP),
    "sctp": _protocol(_IPPROTO_SCTP),
    "raw-socket": lambda _trial: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1).close(),
    "netlink": lambda _trial: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW).close(),
    "packet-socket": lambda _trial: socket.socket(socket.AF_PACKET, socket.SOCK_RAW).close(),
    "memfd": lambda _trial: os.close(os.memfd_create("content")),
    "fork": _fork,
    "spawn": lambda _trial: subprocess.run(["/bin/true"], check=True),
    "posix-spawn": lambda _trial: os.waitpid(os.posix_spawn("/bin/true", ["true"], {}), 0),
    "execve": lambda _trial: os.execve("/nowhere", ["nowhere"], {}),
    "become-dumpable": lambda _trial: kernel.prctl(kernel.PR_SET_DUMPABLE, 1),
    "core-limit": _set_core_limit,
    "ptrace": _denied("ptrace", 3, os.getpid(), 0, 0),  # PTRACE_PEEKUSER; nobody traces itself.
    "process-vm-writev": _denied("process_vm_writev", os.getpid(), 0, 0, 0, 0, 0),
    "process-vm-readv": _denied("process_vm_readv", os.getpid(), 0, 0, 0, 0, 0),
    "pidfd-getfd": _denied("pidfd_getfd", -1, 0, 0),
    "io-uring": _denied("io_uring_setup", 0, 0),
    "bpf": _denied("bpf", 0, 0, 0),
    "perf-event": _denied("perf_event_open", 0, 0, -1, -1, 0),
    "userfaultfd": _denied("userfaultfd", -1),
    "shared-memory": _denied("shmget", 0, 0, 0),
    "message-queue": _denied("msgget", 0, 0),
    "posix-queue": _denied("mq_open", 0, 0, 0, 0),
    "key-ring": _denied("add_key", 0, 0, 0, 0, 0),
    "unshare": _denied("unshare", 0),
    "mount": _denied("mount", 0, 0, 0, 0, 0),
    "host-name": _denied("sethostname", _ADDRESS, -1),
    "kernel-log": _denied("syslog", 10, 0, 0),
    "mode-of-file": _denied("fchmodat", _AT_FDCWD, 0, 0),
    # What forwarding needs.
    "may-connect": lambda trial: _connect(trial.allowed_port),
    "may-look-up": lambda _trial: uvloop.run(_look_up()),
    "may-start-thread": _start_thread,
    "may-pair-sockets": lambda _trial: socket.socketpair(),
    "may-map-memory": lambda _trial: mmap.mmap(-1, 65_536).close(),
    "may-import": lambda _trial: __import__("xml.dom.minidom"),
    "may-read-own-folder": lambda trial: Path(trial.readable, "key").read_bytes(),
    "may-make-tls-context": lambda _trial: ssl.create_default_context(),
    "may-read-limits": lambda _trial: resource.getrlimit(resource.RLIMIT_NOFILE),
    "may-signal-itself": lambda _trial: signal.raise_signal(signal.SIGCONT),
    "may-use-random": lambda _trial: os.urandom(16),
}
ON_OPEN_FILES: dict[str, Callable[[int], object]] = {
    "attribute": lambda file: os.setxattr(file, "user.content", b"x"),
    "mode": lambda file: os.fchmod(file, 0o600),
    "times": lambda file: os.utime(file, (0, 0)),
    "again": lambda file: os.close(os.open(f"/proc/self/fd/{file}", os.O_RDWR)),
    "terminal": lambda file: fcntl.ioctl(file, 0x5412, b"x"),  # TIOCSTI types into it.
}

if __name__ == "__main__":
    sys.stdout.write(msgspec.json.encode(main(msgspec.json.decode(sys.argv[1], type=Trial))).decode())
