"""System calls that a confined process may not make, with their numbers: none of them is part of forwarding.

Opening files is Landlock's matter; here is what it does not cover. Numbers are those of Linux's `syscall_64.tbl` and
`asm-generic/unistd.h`; None: the machine does not have the call.
"""

from typing import NamedTuple

from ingest.gateway.confine.kernel import Machine


class Numbers(NamedTuple):
    """The number of a call on each machine."""

    x86_64: int | None
    aarch64: int | None

    def on(self, machine: Machine) -> int | None:
        return self.x86_64 if machine == "x86_64" else self.aarch64


_PROGRAMS = {
    "execve": Numbers(59, 221),
    "execveat": Numbers(322, 281),
    "fork": Numbers(57, None),
    "vfork": Numbers(58, None),
}
_MEMORY_OF_OTHERS = {
    "ptrace": Numbers(101, 117), "process_vm_readv": Numbers(310, 270), "process_vm_writev": Numbers(311, 271),
    "pidfd_getfd": Numbers(438, 438), "process_madvise": Numbers(440, 440), "kcmp": Numbers(312, 272),
    "perf_event_open": Numbers(298, 241), "userfaultfd": Numbers(323, 282),
}  # fmt: skip
# Memory that outlives its process or can be handed on: files without a name, System V, message queues, key rings.
_MEMORY_THAT_LASTS = {
    "memfd_create": Numbers(319, 279), "memfd_secret": Numbers(447, 447),
    "shmget": Numbers(29, 194), "shmat": Numbers(30, 196), "shmctl": Numbers(31, 195),
    "msgget": Numbers(68, 186), "msgsnd": Numbers(69, 189), "msgrcv": Numbers(70, 188), "msgctl": Numbers(71, 187),
    "semget": Numbers(64, 190), "semop": Numbers(65, 193), "semctl": Numbers(66, 191), "semtimedop": Numbers(220, 192),
    "mq_open": Numbers(240, 180), "mq_unlink": Numbers(241, 181), "mq_timedsend": Numbers(242, 182),
    "add_key": Numbers(248, 217), "request_key": Numbers(249, 218), "keyctl": Numbers(250, 219),
}  # fmt: skip
# Text in what surrounds a file, which Landlock does not restrict.
_ATTRIBUTES = {
    "setxattr": Numbers(188, 5), "lsetxattr": Numbers(189, 6), "fsetxattr": Numbers(190, 7),
    "setxattrat": Numbers(463, 463), "removexattr": Numbers(197, 14), "lremovexattr": Numbers(198, 15),
    "fremovexattr": Numbers(199, 16), "removexattrat": Numbers(466, 466), "file_setattr": Numbers(469, 469),
    "chown": Numbers(92, None), "lchown": Numbers(94, None), "fchown": Numbers(93, 55), "fchownat": Numbers(260, 54),
    "utime": Numbers(132, None), "utimes": Numbers(235, None), "futimesat": Numbers(261, None),
    "utimensat": Numbers(280, 88), "sethostname": Numbers(170, 161), "setdomainname": Numbers(171, 162),
}  # fmt: skip
# A process that keeps files may set their modes.
MODES = {
    "chmod": Numbers(90, None), "fchmod": Numbers(91, 52), "fchmodat": Numbers(268, 53), "fchmodat2": Numbers(452, 452),
}  # fmt: skip
# They act without the calls that a filter or a tracer sees.
_WAYS_ROUND = {
    "io_uring_setup": Numbers(425, 425), "io_uring_enter": Numbers(426, 426), "io_uring_register": Numbers(427, 427),
    "open_by_handle_at": Numbers(304, 265), "name_to_handle_at": Numbers(303, 264), "bpf": Numbers(321, 280),
}  # fmt: skip
_MACHINE = {
    "mount": Numbers(165, 40), "umount2": Numbers(166, 39), "pivot_root": Numbers(155, 41), "chroot": Numbers(161, 51),
    "open_tree": Numbers(428, 428), "move_mount": Numbers(429, 429), "fsopen": Numbers(430, 430),
    "fsmount": Numbers(432, 432), "mount_setattr": Numbers(442, 442), "unshare": Numbers(272, 97),
    "setns": Numbers(308, 268), "init_module": Numbers(175, 105), "finit_module": Numbers(313, 273),
    "delete_module": Numbers(176, 106), "kexec_load": Numbers(246, 104), "kexec_file_load": Numbers(320, 294),
    "acct": Numbers(163, 89), "swapon": Numbers(167, 224), "swapoff": Numbers(168, 225), "reboot": Numbers(169, 142),
    "quotactl": Numbers(179, 60), "quotactl_fd": Numbers(443, 443), "iopl": Numbers(172, None),
    "ioperm": Numbers(173, None), "syslog": Numbers(103, 116), "personality": Numbers(135, 92),
    "settimeofday": Numbers(164, 170), "clock_settime": Numbers(227, 112), "clock_adjtime": Numbers(305, 266),
    "adjtimex": Numbers(159, 171), "fanotify_init": Numbers(300, 262), "setrlimit": Numbers(160, 164),
}  # fmt: skip
DENIED = _PROGRAMS | _MEMORY_OF_OTHERS | _MEMORY_THAT_LASTS | _ATTRIBUTES | _WAYS_ROUND | _MACHINE

# Refused or allowed by their arguments: `seccomp.py`.
CLONE, CLONE3 = Numbers(56, 220), Numbers(435, 435)
SOCKET, SOCKETPAIR = Numbers(41, 198), Numbers(53, 199)
SENDTO, SENDMSG, SENDMMSG = Numbers(44, 206), Numbers(46, 211), Numbers(307, 269)
PRCTL, PRLIMIT64, IOCTL, SECCOMP = Numbers(157, 167), Numbers(302, 261), Numbers(16, 29), Numbers(317, 277)
