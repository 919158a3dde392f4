"""Compiles kernels for the processor at hand, once, and keeps their object code on disk.

A kernel's file is found by what could change its code: the text of the modules that write it, the processor, its
features and the compiler's version. It is written beside and renamed, carries its own digest, and one that does not
match is compiled anew; where nothing can be written, the kernel is compiled in memory.
"""

import contextlib
import ctypes
import hashlib
import os
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Any

CACHE_VARIABLE = "L2SIM_CACHE_DIR"
_DIGEST_BYTES = 32
# Features worth naming: those that decide the vector width, and the hash instructions that hashlib may use.
_NAMED_FEATURES = ("sse2", "avx", "avx2", "avx512f", "avx512bw", "avx512vl", "avx512ifma", "sha", "neon", "sha2")


class KernelUnavailableError(RuntimeError):
    """Compiled kernels cannot run here; the reason is the message."""


@dataclass(frozen=True, slots=True)
class Processor:
    """The processor as the compiler sees it, and the widest vectors worth using on it."""

    name: str
    features: tuple[str, ...]
    feature_text: str
    vector_bits: int

    @property
    def named_features(self) -> list[str]:
        """Those of the features that matter to hashing and are present."""
        return [name for name in _NAMED_FEATURES if name in self.features]


@dataclass(frozen=True, slots=True)
class CompiledKernel:
    """Functions ready to call, by name, and where their object code came from: `cache`, `compiled` or `memory`.

    The interpreter's lock is let go of during each call.
    """

    calls: Mapping[str, Callable[..., None]]
    source: str
    engine: Any  # keeps the machine code alive as long as `calls` can be reached


@lru_cache(maxsize=1)
def host_processor() -> Processor:
    """Return the processor at hand. Raises `KernelUnavailableError` where there is no compiler for it."""
    if sys.byteorder != "little":
        raise KernelUnavailableError("the kernels are written for little-endian processors")
    llvm = _llvm()
    features = llvm.get_host_cpu_features()
    present = tuple(sorted(name for name, there in features.items() if there))
    if "avx512f" in present and "avx512bw" in present:
        bits = 512
    elif "avx2" in present:
        bits = 256
    else:
        bits = 128  # SSE2 and NEON are part of their 64-bit architectures
    text = features.flatten()
    if bits == 512:
        text += ",-prefer-256-bit"  # else LLVM splits 512-bit vectors on the processors it tunes for 256
    return Processor(llvm.get_host_cpu_name(), present, text, bits)


@lru_cache(maxsize=1)
def _llvm() -> Any:
    try:
        import llvmlite.binding as llvm
    except (ImportError, OSError) as error:
        raise KernelUnavailableError(f"llvmlite cannot be loaded ({error})") from error
    # Needed up to llvmlite 0.44; later versions initialise themselves and deprecate the call.
    with contextlib.suppress(RuntimeError):
        llvm.initialize()
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm


def cache_folder() -> Path:
    """Return the folder of compiled kernels: L2SIM_CACHE_DIR, or the user's cache folder of this system."""
    chosen = os.environ.get(CACHE_VARIABLE)
    if chosen:
        return Path(chosen)
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or str(Path.home() / "AppData" / "Local")
        return Path(base) / "l2sim" / "kernels"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "l2sim" / "kernels"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "l2sim" / "kernels"


def load_kernel(
    name: str, modules: tuple[str, ...], text: Callable[[], str], functions: Mapping[str, Sequence[Any]]
) -> CompiledKernel:
    """Return the kernel `name`, from the cache where it is there and whole, else compiled from `text()`.

    `modules` are the modules that write the kernel, by their full names; `functions` are its functions with their
    ctypes argument types. Raises `KernelUnavailableError` where it cannot be compiled.
    """
    processor = host_processor()
    path = _cache_path(name, modules, processor)
    code = _read(path)
    source = "cache"
    if code is None:
        code = _compile(text(), processor)
        source = "compiled" if _write(path, code) else "memory"
    llvm = _llvm()
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), _target_machine(processor))
    engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    engine.finalize_object()
    calls = {}
    for function, arguments in functions.items():
        address = engine.get_function_address(function)
        if not address:
            raise KernelUnavailableError(f"the compiled function {function} cannot be found in its own object code")
        calls[function] = ctypes.CFUNCTYPE(None, *arguments)(address)
    return CompiledKernel(calls, source, engine)


def _target_machine(processor: Processor) -> Any:
    target = _llvm().Target.from_default_triple()
    return target.create_target_machine(cpu=processor.name, features=processor.feature_text, opt=3, jit=True)


def _compile(text: str, processor: Processor) -> bytes:
    try:
        module = _llvm().parse_assembly(text)
        module.verify()
        code: bytes = _target_machine(processor).emit_object(module)
    except RuntimeError as error:
        raise KernelUnavailableError(f"LLVM cannot compile for {processor.name} ({error})") from error
    return code


def _cache_path(name: str, modules: tuple[str, ...], processor: Processor) -> Path | None:
    llvm = _llvm()
    key = hashlib.sha256()
    for module in (__name__, *modules):
        package, _, file = module.rpartition(".")
        key.update(resources.files(package).joinpath(f"{file}.py").read_bytes())
    version = ".".join(map(str, llvm.llvm_version_info))
    for part in (processor.name, processor.feature_text, version, llvm.get_default_triple()):
        key.update(part.encode() + b"\0")
    try:
        folder = cache_folder()
    except RuntimeError:  # no home folder is known
        return None
    return folder / f"{name}-{processor.vector_bits}-{key.hexdigest()[:32]}.o"


def _read(path: Path | None) -> bytes | None:
    """Return the object code in the file, or None where there is no file or its digest does not match."""
    if path is None:
        return None
    try:
        content = path.read_bytes()
    except OSError:
        return None
    digest, code = content[:_DIGEST_BYTES], content[_DIGEST_BYTES:]
    return code if code and hashlib.sha256(code).digest() == digest else None


def _write(path: Path | None, code: bytes) -> bool:
    """Write the file beside its place and rename it; return whether that was possible."""
    if path is None:
        return False
    temporary: str | None = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=path.stem, suffix=".tmp")
        with os.fdopen(handle, "wb") as file:
            file.write(hashlib.sha256(code).digest() + code)
        os.replace(temporary, path)
    except OSError:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)
        return False
    return True
