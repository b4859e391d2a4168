"""seccomp: a filter of system calls for all threads of this process, assembled here (seccomp(2), BPF).

The kernel looks at numbers and arguments, not at memory: what is said about a path or an address is Landlock's matter.
"""

import ctypes
import errno
import struct
from collections.abc import Iterable

from ingest.gateway.confine import kernel, system_calls
from ingest.gateway.confine.errors import LayerMissing
from ingest.gateway.confine.kernel import Machine
from ingest.gateway.confine.profile import Profile
from ingest.gateway.confine.system_calls import Numbers

_SET_MODE_FILTER, _GET_ACTION_AVAIL, _TSYNC = 1, 2, 1
_ALLOW, _ERRNO, _KILL_PROCESS = 0x7FFF_0000, 0x0005_0000, 0x8000_0000
_AUDIT_ARCH: dict[Machine, int] = {"x86_64": 0xC000_003E, "aarch64": 0xC000_00B7}
_X32 = 0x4000_0000  # Another set of numbers on x86-64.

# Instructions: linux/bpf_common.h. Offsets: struct seccomp_data, little-endian.
_LOAD, _AND, _RETURN = 0x20, 0x54, 0x06
_IF_EQUAL, _IF_AT_LEAST, _IF_ANY_BIT = 0x15, 0x35, 0x45
_NUMBER, _ARCH, _ARGUMENTS = 0, 4, 16

_CLONE_THREAD = 0x0001_0000
_AF_UNIX, _AF_INET, _AF_INET6 = 1, 2, 10
_SOCK_STREAM, _SOCK_DGRAM, _SOCK_TYPE_MASK = 1, 2, 0xF
_IPPROTO_ANY, _IPPROTO_TCP, _IPPROTO_UDP = 0, 6, 17
_MSG_FASTOPEN = 0x2000_0000
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C
_ALL_BITS = 0xFFFF_FFFF
_PR_SET_MM, _PR_SET_PTRACER = 35, 0x5961_6D61

Instruction = tuple[int, int, int, int]  # Code, jump if true, jump if false, constant.
_REFUSE: Instruction = (_RETURN, 0, 0, _ERRNO | errno.EPERM)
_UNKNOWN: Instruction = (_RETURN, 0, 0, _ERRNO | errno.ENOSYS)
_PASS: Instruction = (_RETURN, 0, 0, _ALLOW)


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("instructions", ctypes.c_char_p))


def require() -> None:
    """Raise LayerMissing if this machine cannot filter system calls."""
    machine = kernel.machine()
    if machine is None:
        raise LayerMissing("seccomp", f"the filter is written for Linux on {' and '.join(kernel.MACHINES)}")
    number, action = system_calls.SECCOMP.on(machine), ctypes.c_uint32(_KILL_PROCESS)
    assert number is not None
    try:
        kernel.call(number, _GET_ACTION_AVAIL, 0, ctypes.byref(action))
    except OSError:
        raise LayerMissing("seccomp", "this kernel has no seccomp filters, or a sandbox hides them") from None


def restrict(profile: Profile) -> None:
    """Filter the calls of all threads of this process, for good; raises OSError."""
    machine = kernel.machine()
    assert machine is not None
    number = system_calls.SECCOMP.on(machine)
    assert number is not None
    denied = system_calls.DENIED | ({} if profile.writes else system_calls.MODES)
    assembled = program(machine, denied.values())
    given = _Program(len(assembled), b"".join(struct.pack("<HBBI", *each) for each in assembled))
    if kernel.call(number, _SET_MODE_FILTER, _TSYNC, ctypes.byref(given)):
        raise OSError(errno.EBUSY, "a thread has a filter of its own")


def program(machine: Machine, denied: Iterable[Numbers]) -> list[Instruction]:
    """Return the filter: what is not refused passes."""
    # Calls of every answer come first; all that pass whatever their arguments, the kernel remembers (since Linux 5.11).
    judged: list[tuple[Numbers, list[Instruction]]] = [
        (system_calls.SENDTO, [*_without(3, _MSG_FASTOPEN), _PASS]),
        (system_calls.SENDMSG, [*_without(2, _MSG_FASTOPEN), _PASS]),
        (system_calls.SENDMMSG, [*_without(3, _MSG_FASTOPEN), _PASS]),
        (system_calls.SOCKET, [*_SOCKET, _PASS]),
        # Threads alone. The flags of clone3 are in memory, out of a filter's sight; without it libraries use clone.
        (system_calls.CLONE, [(_LOAD, 0, 0, _low(0)), (_IF_ANY_BIT, 1, 0, _CLONE_THREAD), _REFUSE, _PASS]),
        (system_calls.CLONE3, [_UNKNOWN]),
        (system_calls.SOCKETPAIR, [*_one_of(_low(0), [_AF_UNIX]), _PASS]),
        (system_calls.PRCTL, [*_none_of(_low(0), [kernel.PR_SET_DUMPABLE, _PR_SET_MM, _PR_SET_PTRACER]), _PASS]),
        (system_calls.PRLIMIT64, [*_one_of(_low(2), [0]), *_one_of(_high(2), [0]), _PASS]),  # It may read limits.
        (system_calls.IOCTL, [*_none_of(_low(1), [_TIOCSTI, _TIOCLINUX]), _PASS]),  # No typing into terminals.
        *((numbers, [_REFUSE]) for numbers in denied),
    ]
    lines: list[Instruction] = [
        (_LOAD, 0, 0, _ARCH),
        (_IF_EQUAL, 1, 0, _AUDIT_ARCH[machine]),
        (_RETURN, 0, 0, _KILL_PROCESS),  # 32-bit calls have other numbers.
        (_LOAD, 0, 0, _NUMBER),
        *([(_IF_AT_LEAST, 0, 1, _X32), _UNKNOWN] if machine == "x86_64" else []),
    ]
    for numbers, body in judged:
        number = numbers.on(machine)
        if number is not None:
            lines += [(_IF_EQUAL, 0, len(body), number), *body]
    return [*lines, _PASS]


def _low(argument: int) -> int:
    return _ARGUMENTS + 8 * argument


def _high(argument: int) -> int:
    return _low(argument) + 4


def _one_of(offset: int, values: list[int], mask: int = _ALL_BITS) -> list[Instruction]:
    """Refuse the call unless a word of its arguments is one of these."""
    compare: Iterable[Instruction] = ((_IF_EQUAL, len(values) - i, 0, value) for i, value in enumerate(values))
    return [(_LOAD, 0, 0, offset), (_AND, 0, 0, mask), *compare, _REFUSE]


def _none_of(offset: int, values: list[int]) -> list[Instruction]:
    compare = [line for value in values for line in ((_IF_EQUAL, 0, 1, value), _REFUSE)]
    return [(_LOAD, 0, 0, offset), *compare]


def _without(argument: int, bit: int) -> list[Instruction]:
    return [(_LOAD, 0, 0, _low(argument)), (_IF_ANY_BIT, 0, 1, bit), _REFUSE]


# TCP and UDP alone. Landlock's ports are those of TCP: MPTCP and SCTP would go past them, and so would data that a
# Fast Open sends along with its connection, or a database's UNIX socket.
_SOCKET = [
    *_one_of(_low(0), [_AF_INET, _AF_INET6]),
    *_one_of(_low(1), [_SOCK_STREAM, _SOCK_DGRAM], _SOCK_TYPE_MASK),
    *_one_of(_low(2), [_IPPROTO_ANY, _IPPROTO_TCP, _IPPROTO_UDP]),
]
