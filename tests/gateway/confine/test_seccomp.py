"""The filter, run on the calls of both machines as the kernel would run it."""

import errno
import os
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from ingest.gateway.confine import seccomp, system_calls
from ingest.gateway.confine.kernel import MACHINES, Machine
from ingest.gateway.confine.system_calls import Numbers

ROOT = Path(__file__).parents[3]
ARCH = {"x86_64": 0xC000_003E, "aarch64": 0xC000_00B7}
ALLOW, KILL = 0x7FFF_0000, 0x8000_0000
REFUSED, UNKNOWN = 0x0005_0000 | errno.EPERM, 0x0005_0000 | errno.ENOSYS
THREAD = 0x003D_0F00  # The flags of clone(2) by which the C library starts a thread.
READ, WRITE, OPENAT, CONNECT, FUTEX = (
    Numbers(0, 63),
    Numbers(1, 64),
    Numbers(257, 56),
    Numbers(42, 203),
    Numbers(202, 98),
)


def _run(machine: Machine, number: int, *arguments: int, arch: int = 0) -> int:
    """Return what the filter answers to a call."""
    words = [*arguments, *(0 for _ in range(6 - len(arguments)))]
    data = struct.pack("<IIQ6Q", number, arch or ARCH[machine], 0, *words)
    program = seccomp.program(machine, (system_calls.DENIED | system_calls.MODES).values())
    at = value = 0
    while True:
        code, if_true, if_false, constant = program[at]
        at += 1
        match code:
            case 0x20:
                (value,) = struct.unpack_from("<I", data, constant)
            case 0x54:
                value &= constant
            case 0x15:
                at += if_true if value == constant else if_false
            case 0x35:
                at += if_true if value >= constant else if_false
            case 0x45:
                at += if_true if value & constant else if_false
            case 0x06:
                return constant
            case _:
                raise AssertionError(code)


@pytest.mark.parametrize("machine", MACHINES)
def test_every_call_of_the_list_is_refused_and_those_of_forwarding_pass(machine: Machine) -> None:
    numbers = [each.on(machine) for each in (system_calls.DENIED | system_calls.MODES).values()]
    known = [number for number in numbers if number is not None]
    assert len(known) == len(set(known))
    assert {_run(machine, number) for number in known} == {REFUSED}
    assert {_run(machine, each.on(machine) or 0) for each in (READ, WRITE, OPENAT, CONNECT, FUTEX)} == {ALLOW}


CASES = (
    (system_calls.SOCKET, (2, 1, 0), ALLOW),
    (system_calls.SOCKET, (10, 1 | 0o2004000, 6), ALLOW),  # With the flags of a socket that does not block.
    (system_calls.SOCKET, (2, 2, 17), ALLOW),
    (system_calls.SOCKET, (1, 1, 0), REFUSED),
    (system_calls.SOCKET, (2, 1, 262), REFUSED),
    (system_calls.SOCKET, (2, 3, 0), REFUSED),
    (system_calls.SOCKETPAIR, (1, 1, 0), ALLOW),
    (system_calls.SOCKETPAIR, (2, 1, 0), REFUSED),
    (system_calls.SENDTO, (0, 0, 0, 0x4000), ALLOW),
    (system_calls.SENDTO, (0, 0, 0, 0x2000_4000), REFUSED),
    (system_calls.SENDMSG, (0, 0, 0x2000_0000), REFUSED),
    (system_calls.SENDMMSG, (0, 0, 0, 0x2000_0000), REFUSED),
    (system_calls.CLONE, (THREAD,), ALLOW),
    (system_calls.CLONE, (17,), REFUSED),  # SIGCHLD: fork.
    (system_calls.CLONE3, (0,), UNKNOWN),
    (system_calls.PRCTL, (4, 1), REFUSED),
    (system_calls.PRCTL, (15, 1), ALLOW),
    (system_calls.PRLIMIT64, (0, 4, 0, 1), ALLOW),
    (system_calls.PRLIMIT64, (0, 4, 1, 0), REFUSED),
    (system_calls.PRLIMIT64, (0, 4, 1 << 32, 0), REFUSED),
    (system_calls.IOCTL, (0, 0x5412, 0), REFUSED),
    (system_calls.IOCTL, (0, 0x5413, 0), ALLOW),
)


@pytest.mark.parametrize("machine", MACHINES)
@pytest.mark.parametrize(("numbers", "arguments", "answer"), CASES)
def test_a_call_is_judged_by_its_arguments(
    machine: Machine, numbers: Numbers, arguments: tuple[int, ...], answer: int
) -> None:
    number = numbers.on(machine)
    assert number is not None
    assert _run(machine, number, *arguments) == answer


def test_calls_by_the_numbers_of_another_machine_do_not_pass() -> None:
    assert _run("x86_64", 4, arch=0x4000_0003) == KILL  # i386
    assert _run("x86_64", 0x4000_0000 | 520) == UNKNOWN  # x32: its execve.


# As a container does whose profile is older than Landlock.
_SANDBOX = """
import ctypes, errno, struct
from ingest.errors import CannotStart
from ingest.gateway.confine import kernel, layers, seccomp
from ingest.gateway.confine.settings import ConfineSettings
lines = [(0x20, 0, 0, 0), (0x15, 0, 1, 444), (0x06, 0, 0, 0x50000 | errno.ENOSYS), (0x06, 0, 0, 0x7FFF0000)]
kernel.prctl(kernel.PR_SET_NO_NEW_PRIVS, 1)
given = seccomp._Program(len(lines), b"".join(struct.pack("<HBBI", *each) for each in lines))
kernel.call(seccomp.system_calls.SECCOMP.on(kernel.machine()), 1, 0, ctypes.byref(given))
try:
    layers.require(ConfineSettings())
except CannotStart as failure:
    print(failure)
layers.require(ConfineSettings(gateway_confine_without="landlock-fs, landlock-net"))
layers.require(ConfineSettings(gateway_confine="off"))
print("starts")
"""


def test_a_machine_without_a_layer_starts_nothing_unless_a_setting_names_it() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _SANDBOX], env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    refusal, starts = done.stdout.splitlines()
    assert "landlock-fs: Landlock has ABI 0 here" in refusal
    assert "add landlock-fs to NOCONTENT_GATEWAY_CONFINE_WITHOUT" in refusal
    assert starts == "starts"
