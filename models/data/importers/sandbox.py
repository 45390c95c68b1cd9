"""Confinement of a process that reads hostile data: bounded memory, no network, no new programs, no files written.

Linux only. The limits need no rights: they hold for this process and whatever it starts.
"""

import ctypes
import errno
import platform
import resource
import struct

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
LOAD, EQUAL, ANY_BIT, RETURN = 0x20, 0x15, 0x45, 0x06
"""Instructions of the classic Berkeley Packet Filter: load a word, jump if equal or if any bit is set, return."""
ALLOW, REFUSE, UNKNOWN = 0x7FFF0000, 0x00050000 | errno.EPERM, 0x00050000 | errno.ENOSYS
NUMBER_AT, ARCHITECTURE_AT, FLAGS_AT = 0, 4, 16
"""Offsets in the kernel's struct seccomp_data."""

FORBIDDEN = {
    # socket, connect, accept, sendto, bind, listen, socketpair, fork, vfork, execve, kill, ptrace, execveat, tkill,
    # accept4, process_vm_readv, process_vm_writev, pidfd_open, io_uring_setup, bpf, mount, unshare, setns
    "x86_64": (
        0xC000003E,
        (41, 42, 43, 44, 49, 50, 53, 57, 58, 59, 62, 101, 322, 200, 288, 310, 311, 434, 425, 321, 165, 272, 308),
        56,
    ),
    "aarch64": (
        0xC00000B7,
        (198, 203, 202, 206, 200, 201, 199, 221, 129, 117, 281, 130, 242, 270, 271, 434, 425, 280, 40, 97, 268),
        220,
    ),
}
"""By machine: its number for the kernel, the system calls that are refused, and clone, which may start threads only."""
CLONE3 = 435
"""On every machine. Its flags cannot be seen; told that it does not exist, the C library takes clone."""
CLONE_THREAD = 0x10000


def confine(*, memory_bytes: int) -> None:
    """Confine this process for good. Raises OSError where the kernel refuses."""
    _limit(resource.RLIMIT_AS, memory_bytes)
    _limit(resource.RLIMIT_FSIZE, 0)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_NOFILE, 64)
    _filter_system_calls()


def _limit(kind: int, value: int) -> None:
    _, most = resource.getrlimit(kind)
    if most != resource.RLIM_INFINITY:
        value = min(value, most)
    resource.setrlimit(kind, (value, value))


def _filter_system_calls() -> None:
    """Have the kernel refuse networking, new processes and signals with EPERM."""
    machine = platform.machine()
    if machine not in FORBIDDEN:
        return
    architecture, numbers, clone = FORBIDDEN[machine]
    program = [
        (LOAD, 0, 0, ARCHITECTURE_AT),
        (EQUAL, 1, 0, architecture),
        (RETURN, 0, 0, REFUSE),
        (LOAD, 0, 0, NUMBER_AT),
        (EQUAL, 0, 1, CLONE3),
        (RETURN, 0, 0, UNKNOWN),
        (EQUAL, 0, 3, clone),
        (LOAD, 0, 0, FLAGS_AT),
        (ANY_BIT, 0, len(numbers) + 2, CLONE_THREAD),
        (RETURN, 0, 0, ALLOW),
        *((EQUAL, len(numbers) - place, 0, number) for place, number in enumerate(numbers)),
        (RETURN, 0, 0, ALLOW),
        (RETURN, 0, 0, REFUSE),
    ]
    code = ctypes.create_string_buffer(b"".join(struct.pack("<HBBI", *step) for step in program))
    description = struct.pack("<HxxxxxxQ", len(program), ctypes.addressof(code))
    libc = ctypes.CDLL(None, use_errno=True)
    for arguments in (
        (PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0),
        (PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.create_string_buffer(description), 0, 0),
    ):
        if libc.prctl(*arguments) != 0:
            raise OSError(ctypes.get_errno(), "prctl failed: the process cannot be confined")
