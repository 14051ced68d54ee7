"""The filter of system calls that every run gets: what no lab needs, and what sandboxes have been left through.

A program of classic BPF over struct seccomp_data {int nr; u32 arch; u64 ip; u64 args[6]}: a foreign architecture ends the process, a
listed call answers EPERM, namespaces may not be made, and sockets are of this machine's families alone. Everything else passes;
what it reaches is bounded by the namespaces and the uid.
"""

from __future__ import annotations

import base64
import errno
import os
import struct
from functools import cache

LOAD, JUMP_EQUAL, JUMP_AT_LEAST, JUMP_SET, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
ALLOW, KILL, ERRNO = 0x7FFF0000, 0x80000000, 0x00050000
NUMBER, ARCHITECTURE, FIRST_ARGUMENT = 0, 4, 16
X32 = 0x40000000
NEW_NAMESPACES = 0x7E020000  # every CLONE_NEW… flag
FAMILIES = (1, 2, 10)  # unix, IPv4, IPv6: of an empty network

# name: (x86-64, arm64); None where the architecture has no such call
DENIED: dict[str, tuple[int | None, int | None]] = {
    # other processes
    "ptrace": (101, 117),
    "process_vm_readv": (310, 270),
    "process_vm_writev": (311, 271),
    "process_madvise": (440, 440),
    "pidfd_getfd": (438, 438),
    "kcmp": (312, 272),
    # namespaces and mounts
    "unshare": (272, 97),
    "setns": (308, 268),
    "mount": (165, 40),
    "umount2": (166, 39),
    "pivot_root": (155, 41),
    "chroot": (161, 51),
    "open_tree": (428, 428),
    "move_mount": (429, 429),
    "fsopen": (430, 430),
    "fsconfig": (431, 431),
    "fsmount": (432, 432),
    "fspick": (433, 433),
    "mount_setattr": (442, 442),
    "name_to_handle_at": (303, 264),
    "open_by_handle_at": (304, 265),
    # large parts of the kernel that no lab needs
    "io_uring_setup": (425, 425),
    "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427),
    "userfaultfd": (323, 282),
    "bpf": (321, 280),
    "perf_event_open": (298, 241),
    "fanotify_init": (300, 262),
    "memfd_secret": (447, 447),
    "add_key": (248, 217),
    "request_key": (249, 218),
    "keyctl": (250, 219),
    # the machine itself
    "kexec_load": (246, 104),
    "kexec_file_load": (320, 294),
    "reboot": (169, 142),
    "swapon": (167, 224),
    "swapoff": (168, 225),
    "init_module": (175, 105),
    "finit_module": (313, 273),
    "delete_module": (176, 106),
    "acct": (163, 89),
    "quotactl": (179, 60),
    "quotactl_fd": (443, 443),
    "syslog": (103, 116),
    "settimeofday": (164, 170),
    "clock_settime": (227, 112),
    "adjtimex": (159, 171),
    "clock_adjtime": (305, 266),
    "sethostname": (170, 161),
    "setdomainname": (171, 162),
    "vhangup": (153, 58),
    "personality": (135, 92),
    "iopl": (172, None),
    "ioperm": (173, None),
    "modify_ldt": (154, None),
}
# column in DENIED, AUDIT_ARCH, and the numbers of clone, clone3 and socket
MACHINES = {"x86_64": (0, 0xC000003E, 56, 435, 41), "aarch64": (1, 0xC00000B7, 220, 435, 198)}


def _do(code: int, value: int, if_true: int = 0, if_false: int = 0) -> bytes:
    return struct.pack("=HBBI", code, if_true, if_false, value)


def _when(number: int, then: bytes) -> bytes:
    """If the call is `number`, go through `then`, which returns or falls through with the number reloaded."""
    return _do(JUMP_EQUAL, number, 0, len(then) // 8) + then


def _refuse(error: int) -> bytes:
    return _do(RETURN, ERRNO | error)


@cache
def program(machine: str) -> bytes:
    """The filter for a machine (`os.uname().machine`) as struct sock_filter[]; raises `LookupError` for one that is not listed."""
    column, architecture, clone, clone3, make_socket = MACHINES[machine]
    code = _do(LOAD, ARCHITECTURE) + _do(JUMP_EQUAL, architecture, 1, 0) + _do(RETURN, KILL) + _do(LOAD, NUMBER)
    if machine == "x86_64":
        code += _do(JUMP_AT_LEAST, X32, 0, 1) + _refuse(errno.ENOSYS)
    for numbers in DENIED.values():
        number = numbers[column]
        if number is not None:
            code += _when(number, _refuse(errno.EPERM))
    # glibc falls back from clone3, whose flags a filter cannot read, to clone
    code += _when(clone3, _refuse(errno.ENOSYS))
    flags = _do(LOAD, FIRST_ARGUMENT) + _do(JUMP_SET, NEW_NAMESPACES, 0, 1) + _refuse(errno.EPERM)
    code += _when(clone, flags + _do(RETURN, ALLOW))
    families = b"".join(_do(JUMP_EQUAL, family, 0, 1) + _do(RETURN, ALLOW) for family in FAMILIES)
    code += _when(make_socket, _do(LOAD, FIRST_ARGUMENT) + families + _refuse(errno.EAFNOSUPPORT))
    return code + _do(RETURN, ALLOW)


def encoded() -> str:
    """The filter of this machine in base64, as the walls of a run carry it."""
    return base64.b64encode(program(os.uname().machine)).decode()
