"""Kernels that run as machine code of their own: numba writes them once and is not loaded to run them.

Loading numba, and a large kernel from its cache, takes longer than many a run. A kernel that neither allocates nor
raises needs nothing of it.
"""

import ctypes
import hashlib
import re
from collections.abc import Callable, Iterator
from functools import lru_cache
from importlib import import_module
from typing import Any, Final

import numpy as np

from l2sim.crypto.compiler import CompiledKernel, load_kernel

_ENTRY: Final = "entry"
_OWNED: Final = "NRT_MemInfo_call_dtor"  # frees an array that the kernel owns, of which there are none
_GIVEN: Final = re.compile(r"llvm\..*|exp|exp2|log|log1p|pow|sqrt")  # what the compiler and the C library provide
_NOTHING: Final = ctypes.c_void_p * 8


def standalone(kernel: str, *modules: str) -> Callable[..., None]:
    """The compiled function "module:name" as a function of the same arguments, which changes its arrays in place.

    It must return nothing, raise nothing (RuntimeError) and allocate nothing (ValueError). Arguments are arrays of
    one dimension, numbers, and named tuples of these. `modules` are those that its code is made of, by their full
    names: when one of them changes, it is compiled anew.
    """
    home, _, _ = kernel.partition(":")

    def call(*arguments: Any) -> None:
        arrays: list[np.ndarray[Any, Any]] = []
        numbers: list[float] = []
        for part in (part for argument in arguments for part in _parts(argument)):
            if isinstance(part, np.ndarray):
                arrays.append(part)
            elif float(part) == part:
                numbers.append(float(part))
            else:
                raise ValueError(f"{kernel}: whole numbers must pass through 64-bit floats unchanged (got {part})")
        at = np.array([array.ctypes.data for array in arrays], np.uint64)
        lengths = np.array([len(array) for array in arrays], np.int64)
        values = np.array(numbers, np.float64)
        unused, raised = _NOTHING(), _NOTHING()
        loaded = _loaded(kernel, (__name__, home, *modules), tuple(_form(argument) for argument in arguments))
        loaded.calls[_ENTRY](unused, raised, at.ctypes.data, lengths.ctypes.data, values.ctypes.data)
        if any(raised):
            raise RuntimeError(f"{kernel}: raised an error, which a kernel of its own must not")

    return call


def _parts(argument: Any) -> Iterator[Any]:
    """Arrays and numbers, one by one."""
    if isinstance(argument, tuple):
        for part in argument:
            yield from _parts(part)
    else:
        yield argument


def _form(argument: Any) -> Any:
    """What code must know of an argument: (class, forms) of a named tuple, the type of an array's or a number's."""
    if isinstance(argument, tuple):
        return type(argument), tuple(_form(part) for part in argument)
    if isinstance(argument, np.ndarray):
        if argument.ndim != 1 or not argument.flags.c_contiguous:
            raise ValueError(f"arrays must be of one dimension and contiguous (got shape {argument.shape})")
        return argument.dtype
    return next(kind for kind in (bool, int, float) if isinstance(argument, kind))


@lru_cache(maxsize=32)
def _loaded(kernel: str, modules: tuple[str, ...], forms: tuple[Any, ...]) -> CompiledKernel:
    form = hashlib.sha256(repr(forms).encode()).hexdigest()[:8]  # two forms of one kernel are two files
    name = f"{kernel.rpartition('.')[2].replace(':', '-')}-{form}"
    pointers = [ctypes.c_void_p] * 5
    return load_kernel(name, modules, lambda: _written(kernel, forms), {_ENTRY: pointers})


def _written(kernel: str, forms: tuple[Any, ...]) -> str:
    """The kernel as LLVM's text, in a function `entry` that takes its arrays and numbers from three tables."""
    from numba import carray, cfunc, types  # type: ignore[attr-defined]  # numba says not what it exports

    module, _, name = kernel.partition(":")
    known: dict[str, Any] = {"carray": carray, "np": np, "kernel": getattr(import_module(module), name)}
    arrays = numbers = 0

    def text(form: Any) -> str:
        nonlocal arrays, numbers
        if isinstance(form, tuple):
            kind, parts = form
            known[kind.__name__] = kind
            return f"{kind.__name__}({', '.join(map(text, parts))})"
        if isinstance(form, np.dtype):
            arrays += 1
            return f"carray(at[{arrays - 1}], lengths[{arrays - 1}], np.{'bool_' if form == np.bool_ else form})"
        numbers += 1
        kinds = {bool: "bool", int: "np.int64", float: "float"}
        return f"{kinds[form]}(numbers[{numbers - 1}])"

    pointer: Callable[[Any], Any] = types.CPointer
    source = f"def entry(at, lengths, numbers):\n    kernel({', '.join(map(text, forms))})\n"
    exec(compile(source, f"<entry of {kernel}>", "exec"), known)
    tables = [pointer(kind) for kind in (types.voidptr, types.int64, types.float64)]
    compiled = cfunc(types.void(*tables), error_model="numpy")(known["entry"])
    return _closed(compiled.inspect_llvm(), compiled.native_name.removeprefix("cfunc."), kernel)


def _closed(text: str, native: str, kernel: str) -> str:
    """The text without what is not reached from its native function, which becomes `entry`.

    Raises ValueError if it still calls what only numba has.
    """
    import llvmlite.binding as llvm

    trap = f"define void @{_OWNED}(ptr %0) {{\n  call void @llvm.trap()\n  ret void\n}}\ndeclare void @llvm.trap()\n"
    text = re.sub(rf"^declare void @{_OWNED}\(.*$", trap, text, flags=re.MULTILINE)
    module = llvm.parse_assembly(text)
    for value in (*module.functions, *module.global_variables):
        if value.name == native:
            value.name = _ENTRY
        elif not value.is_declaration:
            value.linkage = llvm.Linkage.internal
    machine = llvm.Target.from_default_triple().create_target_machine()
    passes = llvm.create_new_module_pass_manager()
    passes.add_global_dead_code_eliminate_pass()
    passes.run(module, llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options()))
    values = (*module.functions, *module.global_variables)
    lacking = [value.name for value in values if value.is_declaration and not _GIVEN.fullmatch(value.name)]
    if lacking:
        raise ValueError(
            f"{kernel}: must not allocate, nor need anything of numba (its code calls {', '.join(lacking)})"
        )
    return str(module)
