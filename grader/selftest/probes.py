"""What the self-test tries from inside the walls: the driver of a program without cells, sent in as any lab's driver is.

Each probe returns what it could do that it should not have been able to do. They run where a student's code runs, with its rights and
nothing more, so that a wall that is down is seen as a student would see it. Standard library only.
"""

from __future__ import annotations

import ctypes
import errno
import os
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path

MB = 1 << 20
HARMLESS_DEVICES = frozenset(
    [
        "null",
        "zero",
        "full",
        "random",
        "urandom",
        "tty",
        "console",
        "core",
        "fd",
        "stdin",
        "stdout",
        "stderr",
        "ptmx",
        "pts",
        "shm",
        "mqueue",
    ]
)
EMPTY_HANDS = 5  # standard streams and the judge's two pipes
CLONE_NEWUSER, CLONE_NEWNS, PTRACE_TRACEME = 0x10000000, 0x00020000, 0


def network(_: object, port: int, abstract: str) -> list[str]:
    """Reach a listener on the host, an abstract socket of the host, an address beyond it, a name server."""
    reached = []
    for family, address in (
        (socket.AF_INET, ("127.0.0.1", port)),
        (socket.AF_UNIX, f"\0{abstract}"),
        (socket.AF_INET, ("198.51.100.1", 80)),
        (socket.AF_INET, ("169.254.169.254", 80)),
    ):
        with suppress(OSError), socket.socket(family, socket.SOCK_STREAM) as client:
            client.settimeout(0.3)
            client.connect(address)
            reached.append(f"connected to {address!r}")
    with suppress(OSError), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.sendto(b"?", ("198.51.100.1", 53))
        reached.append("sent a datagram")
    return reached


def processes(_: object, limit: int = 3) -> list[str]:
    """See processes that are not the run's own: more than its init, itself and, in a container, the container's init."""
    seen = [name for name in os.listdir("/proc") if name.isdigit()]
    return [f"sees {len(seen)} processes"] if len(seen) > limit else []


def environment(_: object, token: str) -> list[str]:
    """Find the judge's environment in one's own or in any process's."""
    texts = [("os.environ", repr(dict(os.environ)))]
    for name in os.listdir("/proc"):
        with suppress(OSError):
            if name.isdigit():
                texts.append((f"/proc/{name}/environ", Path("/proc", name, "environ").read_text(errors="replace")))
    return [f"the judge's environment is in {place}" for place, text in texts if token in text]


def descriptors(_: object) -> list[str]:
    """Hold descriptors beyond the standard streams and the judge's pipes."""
    held = sorted(int(name) for name in os.listdir("/proc/self/fd"))
    return [f"holds the descriptors {held}"] if len(held) - 1 > EMPTY_HANDS else []  # one is the listing's own


def host_files(_: object, planted: list[str]) -> list[str]:
    """Read files of the host: planted ones, and places where secrets usually lie."""
    tempting = ["/etc/shadow", "/root/.ssh", "/var/run/docker.sock", "/run/docker.sock", "/run/secrets"]
    behind_init = [f"/proc/1/root{path}" for path in planted]
    return [f"reads {path}" for path in [*planted, *behind_init, *tempting] if _readable(path)]


def writes(_: object) -> list[str]:
    """Write anywhere but in /tmp and /dev/shm."""
    places = ["/", "/usr", "/etc", "/gradlab", "/gradlab/inside", "/gradlab/packages", "/var", "/dev", "/proc", "/root"]
    written = []
    for place in places:
        with suppress(OSError):
            Path(place, "probe").write_text("x")
            written.append(f"wrote in {place}")
    return written


def memory(_: object, megabytes: int) -> list[str]:
    """Hold that much in several children at once, each far below the limit."""
    share = megabytes // 8
    for _ in range(8):
        if os.fork() == 0:
            kept = bytearray(os.urandom(1) * (share * MB))
            kept[::4096] = b"x" * len(kept[::4096])
            time.sleep(5)
            os._exit(0)
    time.sleep(1.5)
    return [f"held {megabytes} MB in eight processes"]


def swap(_: object, megabytes: int) -> list[str]:
    """Hold that much in one process, page by page, as a program does that swaps."""
    kept = [bytearray(b"x" * MB) for _megabyte in range(megabytes)]
    time.sleep(1)  # where no control group counts, memory is looked at 20 times a second
    return [f"held {len(kept)} MB"]


def burn(_: object) -> list[str]:
    """Use processor time in several children at once."""
    for _ in range(3):
        if os.fork() == 0:
            while True:
                pass
    while True:
        pass


def fork_many(_: object, limit: int) -> list[str]:
    """Start more processes than allowed."""
    started = 0
    with suppress(OSError):
        for _ in range(limit * 3):
            if os.fork() == 0:
                time.sleep(5)
                os._exit(0)
            started += 1
    return [f"started {started} processes of {limit}"] if started > limit else []


def fill_disk(_: object, limit_mb: int) -> list[str]:
    """Write more than allowed, in many files."""
    total = 0
    for place in ("/tmp", "/dev/shm"):
        with suppress(OSError):
            for number in range(limit_mb * 2):
                Path(place, f"fill{number}").write_bytes(bytes(MB))
                total += 1
    return [f"wrote {total} MB of {limit_mb} in each place"] if total > 2 * limit_mb else []


def many_files(_: object, limit: int) -> list[str]:
    """Make more files than allowed."""
    made = 0
    for place in ("/tmp", "/dev/shm"):
        with suppress(OSError):
            for number in range(limit * 2):
                Path(place, f"inode{number}").touch()
                made += 1
    return [f"made {made} files of {limit} in each place"] if made > 2 * limit else []


def flood(_: object, megabytes: int) -> list[str]:
    """Print that much; the judge looks at what it kept."""
    for _ in range(megabytes):
        sys.stdout.write("x" * MB)
    sys.stdout.flush()
    return []


def daemon(_: object, marker: str) -> list[str]:
    """Leave a process behind that left its session and its parent; the judge looks for it afterwards."""
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.execv(sys.executable, [sys.executable, "-I", "-S", "-c", "import time; time.sleep(60)", marker])
        os._exit(0)
    time.sleep(0.2)
    return []


def trace(_: object) -> list[str]:
    """Be traced, or look into the memory of the init."""
    libc = ctypes.CDLL(None, use_errno=True)
    could = ["may be traced"] if libc.ptrace(PTRACE_TRACEME, 0, 0, 0) == 0 else []
    return could + [f"opens /proc/{pid}/mem" for pid in (1, os.getppid()) if _readable(f"/proc/{pid}/mem")]


def user_namespaces(_: object) -> list[str]:
    """Become root in a user namespace of one's own, or leave the mount namespace."""
    libc = ctypes.CDLL(None, use_errno=True)
    return [f"unshare({flag:#x})" for flag in (CLONE_NEWUSER, CLONE_NEWNS) if libc.unshare(flag) == 0]


def rights(_: object) -> list[str]:
    """Be root, become root, hold a capability, or be able to gain one."""
    could = ["is root"] if os.geteuid() == 0 else []
    for change in (os.setuid, os.setgid):
        with suppress(OSError):
            change(0)
            could.append(f"{change.__name__}(0)")
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines() if ":" in line)
    could += [f"{name} {status[name].strip()}" for name in ("CapEff", "CapPrm", "CapInh") if int(status[name], 16)]
    return could + ([] if status["NoNewPrivs"].strip() == "1" else ["may gain rights by exec"])


def kernel_files(_: object) -> list[str]:
    """Read or write the kernel's own files."""
    readable = ["/proc/kcore", "/proc/kmsg", "/sys/firmware"]
    writable = [
        *("/proc/sys/kernel/core_pattern", "/proc/sys/vm/drop_caches", "/proc/sysrq-trigger", "/sys/kernel/mm/ksm/run"),
        *("/sys/fs/cgroup/cgroup.procs", "/sys/fs/cgroup/memory/memory.limit_in_bytes"),
    ]
    could = [f"reads {path}" for path in readable if _readable(path)]
    return could + [f"writes {path}" for path in writable if _opens_for_writing(path)]


def devices(_: object) -> list[str]:
    """Find a device beyond the harmless ones, or make one."""
    could = open_devices()
    with suppress(OSError):
        os.mknod("/tmp/disk", 0o060600, os.makedev(8, 0))
        could.append("mknod")
    return could


def open_devices() -> list[str]:
    """Devices beyond the harmless ones that this process can open."""
    found = sorted(set(os.listdir("/dev")) - HARMLESS_DEVICES)
    return [f"/dev/{name}" for name in found if _readable(f"/dev/{name}") or _opens_for_writing(f"/dev/{name}")]


def clock(_: object = None) -> list[str]:
    """Set the machine's clock."""
    with suppress(OSError):
        time.clock_settime(time.CLOCK_REALTIME, time.time())
        return ["set the clock"]
    return []


def sleep_on(_: object) -> list[str]:
    """Outlast the judge's clock without using the processor."""
    time.sleep(2)
    return ["slept past the limit"]


def _readable(path: str) -> bool:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
    except OSError:
        return False  # absent, or not for us: a wall either way
    try:
        os.read(descriptor, 1)
    except OSError as error:
        return error.errno == errno.EISDIR and bool(os.listdir(path))
    finally:
        os.close(descriptor)
    return True


def _opens_for_writing(path: str) -> bool:
    try:
        os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))
    except OSError:
        return False
    return True
