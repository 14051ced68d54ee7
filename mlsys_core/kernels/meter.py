"""A meter for Triton kernels, on a CPU: what a kernel reads, writes, computes and gets wrong, counted and not timed.

Idea      Triton's interpreter runs a kernel's programs one after another in numpy, and all their loads and stores pass through one object.
          The meter stands there. A kernel never sees a real address: each tensor argument gets a range of 2^44 bytes to itself, so an
          address tells which argument it came from and how far it strayed, and nothing that strayed is touched.
Equation  traffic  bytes = Σ live lanes · element size      lines = Σ over accesses |{offset // 128}|      sectors = Σ |{offset // 32}|
          compute  tl.dot of M×K by K×N: 2MNK      elementwise: 1 an element of a floating-point result, a reduction of n: n - 1
Paper     J. Hong, H. T. Kung, "I/O complexity: the red-blue pebble game", STOC 1981 (traffic as the cost of an algorithm);
          shadow.py names those for races and for memory without a value.
Cost      1.2 to 2.3 times the plain interpreter's time (tests/benchmarks/meter_cost.py prints it).

    with Meter() as meter:
        kernel[grid](x, y, n, BLOCK=64)
    meter.findings          # what is wrong, each with its kernel, argument and line
    meter.report()          # all of it in plain numbers, text, lists and dicts

Findings are of four kinds. `bounds`: a lane that is not masked off lies outside its argument's allocation. `view`: it lies inside, but in
no element of the tensor that was passed. `race`: two programs of a launch touch one element, at least one of them writes it, and not both
by atomics; the interpreter's order hides it, a GPU's does not. Programs that hand data over under a lock are reported too.
`uninitialised`: an element is read that came from torch.empty inside the `with` and was never written. Lanes that a load masks off
without `other` have no value on a GPU, so here they are all ones (NaN, -1), where the plain interpreter's zero would hide the fault.

Counts are the same in every run: they depend on the kernel and its arguments' shapes, strides and contents, never on where the heap put
them. `lines` and `sectors` are of 128 and 32 bytes; storages start at the start of one, as the GPU's allocator has it.

What is reported is evidence from inside the process that runs the kernel, which is the student's: who can patch the interpreter can
patch the meter. A count is therefore a claim, as a time is. A judge holds it against what no kernel can go below (`bytes_floor`, which
needs neither torch nor triton), and against what the kernel computed.
"""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack
from dataclasses import asdict, dataclass, fields, replace
from functools import partial
from importlib import import_module
from types import FrameType
from typing import Any, ClassVar, Self, TypeAlias

import numpy as np

from .shadow import MANY, NONE, POISON, SLOT, VIRTUAL, Argument, Array, Memory, Tensor, bytes_of

Hook: TypeAlias = Callable[..., Any]

KNOWN_TRITON = ("3.6", "3.7")
LINE, SECTOR = 128, 32  # bytes: what a warp's coalesced access fetches, and the least that memory hands out
EMPTY = ("empty", "empty_like", "empty_strided", "empty_permuted", "new_empty", "new_empty_strided")  # of torch
UNARY = ("fneg", "fabs", "exp", "exp2", "log", "log2", "sin", "cos", "sqrt", "precise_sqrt", "rsqrt", "erf")
BINARY = ("fadd", "fsub", "fmul", "fdiv", "frem", "precise_divf", "minimumf", "maximumf", "minnumf", "maxnumf")
FLOPS = dict.fromkeys(UNARY + BINARY, 1) | {"fma": 2, "clampf": 2}
COUNTED = {"load": "loaded", "store": "stored", "atomic": "atomic"}
WORDS = {
    "unknown": "{verb}s an address that comes from none of the tensors it was given.",
    "bounds": "{verb}s element {element} of {name}, whose allocation ends after element {last}.",
    "view": "{verb}s element {element} of {name}, which is in its allocation but no part of the tensor that was passed.",
    "uninitialised": "{verb}s element {element} of {name}, which nothing has written: torch.empty promises no value.",
    "race": "{verb}s element {element} of {name}, which {rival} also used, without atomics.",
}


class MeterError(Exception):
    """The kernel cannot be metered here; the text says why and what to do."""


@dataclass(frozen=True)
class Finding:
    """A fault at one line of a kernel: its kind (see the module), how many lanes had it, and a sentence about the first of them."""

    kind: str
    kernel: str
    argument: str  # the pointer's parameter; empty for an address that came from no tensor
    where: str
    lanes: int
    text: str


@dataclass
class Traffic:
    """Bytes that a kernel moved through one argument over all launches, and in how many lines and sectors; `size` is the argument's own."""

    size: int = 0
    loaded: int = 0
    stored: int = 0
    atomic: int = 0
    lines: int = 0
    sectors: int = 0

    def add(self, verb: str, offsets: Array, size: int) -> None:
        """Count one access to elements of `size` bytes at these bytes of a storage."""
        setattr(self, COUNTED[verb], getattr(self, COUNTED[verb]) + offsets.size * size)
        sectors = np.unique(offsets // SECTOR)
        self.sectors += sectors.size
        self.lines += np.unique(sectors // (LINE // SECTOR)).size


@dataclass(frozen=True)
class Floor:
    """The least bytes that a kernel loads and stores which reads all of its inputs and writes all of its outputs."""

    loaded: int
    stored: int

    def problem(self, report: dict[str, Any]) -> str:
        """Why a report cannot be true, in a sentence; empty when it can. An atomic counts as a load and as a store."""
        for verb in ("loaded", "stored"):
            claimed, least = int(report[verb]) + int(report["atomic"]), int(getattr(self, verb))
            if claimed < least:
                return f"It claims {claimed:,} bytes {verb}; no kernel does this work with less than {least:,}."
        return ""


def bytes_floor(read: Iterable[Any], written: Iterable[Any]) -> Floor:
    """Compulsory traffic: each array of `read` once in, each of `written` once out. Anything that has `nbytes` will do."""
    return Floor(sum(int(one.nbytes) for one in read), sum(int(one.nbytes) for one in written))


@dataclass(frozen=True)
class _Access:
    """One load, store or atomic of one program."""

    verb: str
    program: int
    size: int  # of an element, bytes


class Meter:
    """Counts and checks every launch inside its `with`; see the module for what it finds.

    `unwritten` are tensors whose contents count as never written; they are overwritten. Raises `MeterError` for another version of
    triton, kernels that are not interpreted, tensors not on the CPU, bfloat16 (the interpreter computes it wrong), a meter in a meter.
    """

    _running: ClassVar[Meter | None] = None

    def __init__(self, *unwritten: Tensor) -> None:
        self.traffic: dict[tuple[str, str], Traffic] = {}  # by kernel and argument
        self.launches = self.dot_flops = self.elementwise_flops = 0
        self._found: dict[tuple[str, str, str, str], Finding] = {}
        self._memories: dict[int, Memory] = {}
        self._kernel, self._grid = "", (1, 1, 1)
        self._slots: dict[int, Argument] = {}
        self._pointers: dict[int, int] = {}
        self._exit = ExitStack()
        for tensor in unwritten:
            self.poison(tensor)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """What is wrong, in the order in which it was met."""
        return tuple(self._found.values())

    def report(self) -> dict[str, Any]:
        """Everything as plain values; `arguments` has the traffic of each as "kernel.argument", the rest are sums over all launches."""
        totals = {f.name: sum(getattr(one, f.name) for one in self.traffic.values()) for f in fields(Traffic)[1:]}
        return totals | {
            "launches": self.launches,
            "dot_flops": self.dot_flops,
            "elementwise_flops": self.elementwise_flops,
            "findings": [asdict(one) for one in self.findings],
            "arguments": {f"{kernel}.{name}": asdict(one) for (kernel, name), one in self.traffic.items()},
        }

    def poison(self, tensor: Tensor) -> None:
        """From here on the whole storage of `tensor` counts as never written; it is overwritten with ones."""
        memory = self._memory(tensor)
        memory.bytes[:], memory.unwritten[:] = POISON, True

    def wrote(self, tensor: Tensor) -> None:
        """Note that the elements of `tensor` have values now; what torch writes inside the `with` is noted by itself."""
        memory = self._memories.get(tensor.untyped_storage().data_ptr())
        if memory is not None and memory.unwritten.any():
            memory.unwritten[np.flatnonzero(bytes_of(tensor)) // memory.grain] = False

    def __enter__(self) -> Self:
        if Meter._running is not None:
            raise MeterError("A meter is running already: one at a time.")
        triton, self._interpreter = import_module("triton"), import_module("triton.runtime.interpreter")
        if not triton.__version__.startswith(tuple(f"{known}." for known in KNOWN_TRITON)):
            raise MeterError(f"The meter knows triton {' and '.join(KNOWN_TRITON)}; this is {triton.__version__}.")
        if not isinstance(triton.language.sum, self._interpreter.InterpretedFunction):
            raise MeterError("Kernels are not interpreted here. Set TRITON_INTERPRET=1 before triton is imported.")
        self._not_theirs = tuple(str(f) for f in (*triton.__path__, *np.__path__, bytes_floor.__code__.co_filename))
        Meter._running = self
        self._exit.callback(setattr, Meter, "_running", None)
        self._install()
        self._exit.enter_context(np.errstate(all="ignore"))  # poison is computed with
        self._exit.enter_context(_allocations(self))
        return self

    def __exit__(self, *_: object) -> None:
        self._exit.close()

    def _install(self) -> None:
        builder, reduce, scan = (getattr(self._interpreter, n) for n in ("InterpreterBuilder", "ReduceOps", "ScanOps"))
        self._replace(self._interpreter.GridExecutor, "_init_args_hst", self._on_launch)
        # it would copy each storage onto itself, and so seem to write it
        self._replace(self._interpreter.GridExecutor, "_restore_args_dev", lambda *_: None)
        self._replace(self._interpreter, "_implicit_cvt", self._on_pointer)
        self._replace(builder, "create_masked_load", self._on_load)
        self._replace(builder, "create_masked_store", self._on_store)
        self._replace(builder, "create_atomic_rmw", self._on_update)
        self._replace(builder, "create_atomic_cas", self._on_swap)
        self._replace(builder, "create_dot", self._on_dot)
        for owner, name in ((reduce, "sum"), (reduce, "min_max"), (scan, "cumsum"), (scan, "cumprod")):
            self._replace(owner, name, self._on_reduction)
        for name, cost in FLOPS.items():
            self._replace(builder, f"create_{name}", partial(self._on_elementwise, cost))

    def _replace(self, owner: Any, name: str, hook: Hook) -> None:
        """Until the meter ends, `owner.name` is `hook`, told of the original; not every version of triton has every name."""
        original = getattr(owner, name, None)
        if original is not None:
            setattr(owner, name, lambda *args, **named: hook(original, *args, **named))
            self._exit.callback(setattr, owner, name, original)

    def _on_launch(self, original: Hook, executor: Any, args: Any, kwargs: Any) -> Any:
        """Which tensors a launch is given, by the names of the kernel's parameters."""
        self._kernel, self._slots, self._pointers = executor.fn.__name__, {}, {}
        self.launches += 1
        for name, tensor in _tensors(inspect.getcallargs(executor.fn, *args, **kwargs)):
            self._refuse(f"{name} of {self._kernel}", str(tensor.device), str(tensor.dtype))
        on_host = original(executor, args, kwargs)
        for name, tensor in _tensors(inspect.getcallargs(executor.fn, *on_host[0], **on_host[1])):
            self._bind(name, tensor)
        return on_host

    def _refuse(self, what: str, device: str, dtype: str) -> None:
        if device != "cpu":
            raise MeterError(f"{what} is on {device}. Give the meter tensors on the CPU.")
        if dtype in {"torch.bfloat16", "bf16"}:
            raise MeterError(f"{what} is bfloat16, which the interpreter computes wrong. Use float16 or float32.")

    def _bind(self, name: str, value: Any) -> None:
        tensor = self._interpreter._unwrap_tensor(value)  # noqa: SLF001
        slot = len(self._slots) + 1
        argument = self._slots[slot] = Argument(name, tensor, self._memory(tensor), slot)
        argument.memory.start_launch()
        self._pointers[id(value)] = argument.zero + argument.start
        traffic = self.traffic.setdefault((self._kernel, name), Traffic())
        traffic.size = max(traffic.size, argument.nbytes)

    def _memory(self, tensor: Tensor) -> Memory:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in self._memories:
            self._memories[storage.data_ptr()] = Memory(storage)
        return self._memories[storage.data_ptr()]

    def _on_pointer(self, original: Hook, value: Any) -> Any:
        converted = original(value)
        if id(value) in self._pointers:
            converted.handle.data = np.array([self._pointers[id(value)]], np.uint64)
        return converted

    def _on_load(self, original: Hook, builder: Any, pointers: Any, mask: Any, *rest: Any, **named: Any) -> Any:
        real, good = self._access("load", builder, pointers, mask)
        other = self._without_value(pointers) if rest[0] is None else rest[0]
        return original(builder, real, good, other, *rest[1:], **named)

    def _on_store(self, original: Hook, builder: Any, pointers: Any, value: Any, *rest: Any) -> Any:
        real, good = self._access("store", builder, pointers, rest[0])
        return original(builder, real, value, good, *rest[1:])

    def _on_update(self, original: Hook, builder: Any, kind: Any, pointers: Any, *rest: Any) -> Any:
        real, good = self._access("atomic", builder, pointers, rest[1])
        return original(builder, kind, real, rest[0], good, *rest[2:])

    def _on_swap(self, original: Hook, builder: Any, pointers: Any, *rest: Any) -> Any:
        """It has no mask, so one that strays is not done at all."""
        real, good = self._access("atomic", builder, pointers, np.ones_like(pointers.data, bool))
        return original(builder, real, *rest) if good.data.all() else self._without_value(pointers)

    def _on_dot(self, original: Hook, builder: Any, a: Any, *rest: Any) -> Any:
        product = original(builder, a, *rest)
        self.dot_flops += 2 * product.data.size * a.data.shape[-1]
        return product

    def _on_reduction(self, original: Hook, operation: Any, tensor: Any, *rest: Any, **named: Any) -> Any:
        data: Array = tensor.handle.data
        length = data.size if operation.axis is None else data.shape[operation.axis]
        self.elementwise_flops += data.size - data.size // length if data.dtype.kind == "f" else 0
        return original(operation, tensor, *rest, **named)

    def _on_elementwise(self, cost: int, original: Hook, builder: Any, *operands: Any) -> Any:
        result = original(builder, *operands)
        self.elementwise_flops += cost * result.data.size if result.data.dtype.kind == "f" else 0
        return result

    def _access(self, verb: str, builder: Any, pointers: Any, mask: Any) -> tuple[Any, Any]:
        """Check and count one access of one program; returns real pointers, and a mask without the lanes that strayed."""
        shape, self._grid = pointers.data.shape, builder.grid_dim
        flat = np.asarray(pointers.data, np.uint64).reshape(-1).view(np.int64)
        live = np.flatnonzero(np.broadcast_to(np.asarray(mask.data, bool), shape))
        real, good = np.zeros(flat.size, np.uint64), np.zeros(flat.size, bool)
        size = max(1, pointers.get_element_ty().primitive_bitwidth // 8)
        access = _Access(verb, int(np.ravel_multi_index(builder.grid_idx, self._grid)), size)
        for argument, lanes in self._by_argument(access, flat, live):
            offsets = flat[lanes] - argument.zero
            inside = (offsets >= 0) & (offsets + size <= argument.memory.nbytes)
            self._note("bounds", access, argument, offsets[~inside])
            self._enter(access, argument, offsets[inside])
            real[lanes], good[lanes] = argument.memory.base + offsets, inside
        handle, boolean = self._interpreter.TensorHandle, self._interpreter.tl.int1
        return handle(real.reshape(shape), pointers.dtype), handle(good.reshape(shape), boolean)

    def _by_argument(self, access: _Access, flat: Array, lanes: Array) -> Iterator[tuple[Argument, Array]]:
        """The live lanes, by the argument that their addresses come from."""
        slots = (flat[lanes] - VIRTUAL) >> SLOT
        for slot in slots[:1] if (slots == slots[:1]).all() else np.unique(slots):
            if int(slot) in self._slots:
                yield self._slots[int(slot)], lanes[slots == slot]
            else:
                self._note("bounds", access, None, lanes[slots == slot])

    def _enter(self, access: _Access, argument: Argument, offsets: Array) -> None:
        """Enter lanes that lie inside the argument's storage into its books."""
        verb, memory = access.verb, argument.memory
        self._note("view", access, argument, argument.strays(offsets, access.size))
        if verb != "store":
            self._note("uninitialised", access, argument, offsets[memory.poisoned(offsets, access.size)])
        rivals = memory.touch(verb, memory.cells(offsets, access.size), access.program)
        self._note("race", access, argument, offsets[rivals != NONE], rivals[rivals != NONE])
        self.traffic[self._kernel, argument.name].add(verb, offsets, access.size)

    def _without_value(self, pointers: Any) -> Any:
        """What these pointers' elements are to whoever reads them although they have no value."""
        kind = pointers.get_element_ty()
        dtype = self._interpreter._get_np_dtype(kind)  # noqa: SLF001
        ones = np.frombuffer(bytes([POISON if dtype.kind != "b" else 0]) * dtype.itemsize, dtype)
        return self._interpreter.TensorHandle(np.full(pointers.data.shape, ones[0], dtype), kind)

    def _note(
        self, kind: str, access: _Access, argument: Argument | None, offsets: Array, rivals: Array | None = None
    ) -> None:
        """Keep a fault of these lanes, if there are any: one finding for each line, with its first lane in words."""
        if not offsets.size:
            return
        name, where = argument.name if argument else "", self._where(sys._getframe(1))  # noqa: SLF001 - the line is nowhere else
        known = self._found.get((kind, self._kernel, name, where)) or Finding(
            kind, self._kernel, name, where, 0, f"{where}: {self._words(kind, access, argument, offsets, rivals)}"
        )
        self._found[kind, self._kernel, name, where] = replace(known, lanes=known.lanes + offsets.size)

    def _words(
        self, kind: str, access: _Access, argument: Argument | None, offsets: Array, rivals: Array | None
    ) -> str:
        said = {"verb": {"atomic": "update"}.get(access.verb, access.verb)}
        if argument is not None:
            said["name"], size = argument.name, argument.itemsize
            said["element"] = str((int(offsets[0]) - argument.start) // size)
            said["last"] = str((argument.memory.nbytes - argument.start) // size - 1)
        if rivals is not None:
            said["rival"] = "several other programs" if rivals[0] == MANY else self._program(int(rivals[0]))
        what = WORDS[kind if argument else "unknown"].format(**said)
        return f"{self._program(access.program)} of {self._kernel} {what}"

    def _program(self, number: int) -> str:
        return f"program ({', '.join(str(i) for i in np.unravel_index(number, self._grid))})"

    def _where(self, frame: FrameType | None) -> str:
        """The innermost line that is neither the meter's nor a library's: the kernel's own."""
        while frame is not None and frame.f_code.co_filename.startswith(self._not_theirs):
            frame = frame.f_back
        return f"{os.path.basename(frame.f_code.co_filename).strip('<>')}, line {frame.f_lineno}" if frame else ""  # noqa: PTH119


def _tensors(arguments: dict[str, Any]) -> Iterator[tuple[str, Tensor]]:
    """The tensors among a kernel's arguments, in tuples too, and those that tensor descriptors describe."""
    for name, value in arguments.items():
        if isinstance(value, tuple):
            yield from _tensors({f"{name}[{at}]": one for at, one in enumerate(value)})
        elif hasattr(value, "block_shape"):
            yield name, value.base
        elif hasattr(value, "data_ptr"):
            yield name, value


def _allocations(meter: Meter) -> AbstractContextManager[Any]:
    """A torch dispatch mode: what torch.empty and its kin return is poisoned, and what torch writes is noted."""
    base = import_module("torch.utils._python_dispatch").TorchDispatchMode

    def dispatch(_: Any, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> Any:  # noqa: ARG001
        named, schema = kwargs or {}, func._schema  # noqa: SLF001
        out = func(*args, **named)
        if schema.name.removeprefix("aten::") in EMPTY and out.device.type == "cpu":
            meter.poison(out)
        for at, parameter in enumerate(schema.arguments):
            given = args[at] if at < len(args) else named.get(parameter.name)
            writes = parameter.alias_info is not None and parameter.alias_info.is_write
            # set_ gives a tensor another storage, and writes to none
            if writes and schema.name != "aten::set_" and hasattr(given, "untyped_storage"):
                meter.wrote(given)
        return out

    watching: AbstractContextManager[Any] = type("Allocations", (base,), {"__torch_dispatch__": dispatch})()
    return watching
