"""The seccomp filter of system calls. It is compiled once when the nest starts, because crun would spend 17 ms on it
for each sandbox.

The filter permits the calls that Docker permits to a container without capabilities, except two groups that newer
versions of Docker refuse too: io_uring and some sockets. Programs have escaped from containers through defects of
io_uring. Through these sockets, a container in a virtual machine can reach programs of the hypervisor.
"""

from __future__ import annotations

import base64
import ctypes
import json
import os
from pathlib import Path
from typing import Any

_PERMITTED = Path(__file__).parent / "seccomp.json"
_ALLOW, _REFUSE = 0x7FFF0000, 0x00050000
_NOT_PERMITTED, _NOT_IMPLEMENTED = 1, 38
_UNEQUAL, _EQUAL, _MASKED = 1, 4, 7
_HYPERVISOR = 40
_PERSONALITIES = (0x0, 0x8, 0x20000, 0x20008, 0xFFFFFFFF)
_NEW_NAMESPACES = 0x7E020000
_SIBLINGS = {"x86_64": ("x86", "x32"), "aarch64": ("arm",)}


class _Comparison(ctypes.Structure):
    _fields_ = (
        ("argument", ctypes.c_uint), ("operator", ctypes.c_int), ("first", ctypes.c_uint64), ("second", ctypes.c_uint64)
    )  # fmt: skip


def compiled() -> str:
    """Returns the compiled filter in the form that crun accepts (base64); raises OSError."""
    library = ctypes.CDLL("libseccomp.so.2")
    library.seccomp_init.restype = ctypes.c_void_p
    context = ctypes.c_void_p(library.seccomp_init(ctypes.c_uint32(_REFUSE | _NOT_PERMITTED)))
    for name in _SIBLINGS.get(os.uname().machine, ()):
        library.seccomp_arch_add(context, library.seccomp_arch_resolve_name(name.encode()))
    for name in json.loads(_PERMITTED.read_text()):
        _rule(library, context, _ALLOW, name)
    for value in _PERSONALITIES:
        _rule(library, context, _ALLOW, "personality", _Comparison(0, _EQUAL, value, 0))
    _rule(library, context, _ALLOW, "socket", _Comparison(0, _UNEQUAL, _HYPERVISOR, 0))
    _rule(library, context, _ALLOW, "clone", _Comparison(0, _MASKED, _NEW_NAMESPACES, 0))
    # C libraries fall back to `clone` only if this call fails as "not implemented".
    _rule(library, context, _REFUSE | _NOT_IMPLEMENTED, "clone3")
    return _exported(library, context)


def _rule(library: Any, context: ctypes.c_void_p, action: int, name: str, *comparisons: _Comparison) -> None:
    number = library.seccomp_syscall_resolve_name(name.encode())
    if number == -1:  # this kind of processor does not have the call
        return
    given = (_Comparison * len(comparisons))(*comparisons)
    result = library.seccomp_rule_add_array(context, ctypes.c_uint32(action), number, len(comparisons), given)
    if result:
        raise OSError(-result, f"seccomp: {name}: {os.strerror(-result)}")


def _exported(library: Any, context: ctypes.c_void_p) -> str:
    file = os.memfd_create("seccomp")
    try:
        result = library.seccomp_export_bpf(context, file)
        if result:
            raise OSError(-result, f"seccomp: {os.strerror(-result)}")
        os.lseek(file, 0, os.SEEK_SET)
        return base64.b64encode(os.read(file, 1 << 20)).decode()
    finally:
        os.close(file)
