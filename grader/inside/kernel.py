"""The few system calls that Python 3.11 has no function for, by ctypes: namespaces, mounts, capabilities, filters."""

from __future__ import annotations

import ctypes
import fcntl
import os
import signal
import socket
import struct

CLONE_NEWNS, CLONE_NEWCGROUP, CLONE_NEWUTS = 0x00020000, 0x02000000, 0x04000000
CLONE_NEWIPC, CLONE_NEWUSER, CLONE_NEWPID, CLONE_NEWNET = 0x08000000, 0x10000000, 0x20000000, 0x40000000
MS_NOSUID, MS_NODEV, MS_NOEXEC, MS_REC, MS_PRIVATE = 2, 4, 8, 1 << 14, 1 << 18
PR_SET_DUMPABLE, PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 4, 22, 38
SECCOMP_MODE_FILTER = 2
CAPABILITY_VERSION_3 = 0x20080522
SIOCGIFFLAGS, SIOCSIFFLAGS, IFF_UP = 0x8913, 0x8914, 1

CLONE = {"x86_64": 56, "aarch64": 220}

_libc = ctypes.CDLL(None, use_errno=True)
_with_interpreter = ctypes.PyDLL(None, use_errno=True)  # keeps the interpreter's lock, which the child must hold
_with_interpreter.syscall.restype = ctypes.c_long
_with_interpreter.syscall.argtypes = [ctypes.c_long] * 6
_mount = _libc.mount
_mount.argtypes = [ctypes.c_char_p, ctypes.c_char_p, ctypes.c_char_p, ctypes.c_ulong, ctypes.c_char_p]


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_ushort), ("filter", ctypes.c_char_p))


def _check(result: int, what: str) -> None:
    if result != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"{what}: {os.strerror(error)}")


def fork_into(flags: int) -> int:
    """fork(2) into new namespaces, in one call: 0 in the child, who is pid 1 where CLONE_NEWPID is among them, its pid in the parent.

    A large process is copied once instead of twice. Python's own bookkeeping around a fork is done; the C library's is not, so the child
    must fork once more before it runs anything but plain system calls.
    """
    ctypes.pythonapi.PyOS_BeforeFork()
    pid = int(_with_interpreter.syscall(CLONE[os.uname().machine], flags | signal.SIGCHLD, 0, 0, 0, 0))
    if pid == 0:
        ctypes.pythonapi.PyOS_AfterFork_Child()
        return 0
    error = ctypes.get_errno()
    ctypes.pythonapi.PyOS_AfterFork_Parent()
    if pid < 0:
        raise OSError(error, f"clone: {os.strerror(error)}")
    return pid


def mount(source: str, target: str, kind: str, flags: int, options: str = "") -> None:
    """mount(2)."""
    _check(_mount(source.encode(), target.encode(), kind.encode(), flags, options.encode()), f"mount on {target}")


def set_dumpable(allowed: bool) -> None:  # noqa: FBT001 - prctl's own argument
    """Whether others of the same uid may look into this process: its memory, environment and descriptors."""
    _check(_libc.prctl(PR_SET_DUMPABLE, int(allowed), 0, 0, 0), "prctl")


def no_new_privileges() -> None:
    """From now on no program, setuid or not, can gain rights."""
    _check(_libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "prctl")


def drop_capabilities() -> None:
    """Empty the effective, permitted and inheritable sets."""
    header = struct.pack("=Ii", CAPABILITY_VERSION_3, 0)
    _check(_libc.capset(header, bytes(24)), "capset")


def filter_system_calls(program: bytes) -> None:
    """Install a seccomp filter (struct sock_filter[]) for this process and all that it starts."""
    described = _Program(len(program) // 8, program)
    _check(_libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.byref(described), 0, 0), "seccomp")


def raise_loopback() -> None:
    """Bring up `lo` of a new network namespace: it leads nowhere but to the run itself."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        request = struct.pack("16sH14s", b"lo", 0, b"")
        (flags,) = struct.unpack_from("H", fcntl.ioctl(any_socket, SIOCGIFFLAGS, request), 16)
        fcntl.ioctl(any_socket, SIOCSIFFLAGS, struct.pack("16sH14s", b"lo", flags | IFF_UP, b""))
