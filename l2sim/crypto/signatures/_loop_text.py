"""The batches' inner loops as LLVM text: what `_loops` does through cffi, as functions that never meet Python.

Each takes the addresses of libsecp256k1's functions, of the columns and of a byte for each row, then the rows from
`start` to `stop`, so that its object code holds no address and can be kept on disk. The byte of a row comes in as 0
and is set to 1 where every call of the row has said yes; the row's result is written only then.
"""

from collections.abc import Callable

from l2sim.crypto.signatures._secp256k1 import (
    COMPACT_BYTES,
    DIGEST_BYTES,
    PUBLIC_KEY_BYTES,
    RECOVERABLE_BYTES,
    SECRET_BYTES,
    X_ONLY_BYTES,
    ffi,
    lib,
)

_SIGNATURE, _RECOVERABLE = "secp256k1_ecdsa_signature", "secp256k1_ecdsa_recoverable_signature"
_POINT, _X_ONLY, _KEYPAIR = "secp256k1_pubkey", "secp256k1_xonly_pubkey", "secp256k1_keypair"
_SIZE = f"i{8 * ffi.sizeof('size_t')}"
_KEY_FLAGS = lib.SECP256K1_EC_COMPRESSED


class Loop:
    """Text of one function over rows, each of whose pointers is an argument."""

    def __init__(self, name: str, pointers: str) -> None:
        """Start the function `name`; `pointers` are the names of its pointers, before the byte of each row."""
        self.name = name
        self.pointers = (*pointers.split(), "done")
        self._locals: list[str] = []
        self._lines: list[str] = []
        self._count = 0

    def local(self, type_name: str) -> str:
        """Return the address of one object of libsecp256k1, used again for every row."""
        name = f"%local{len(self._locals)}"
        self._locals.append(f"  {name} = alloca [{ffi.sizeof(type_name)} x i8], align 16")
        return name

    def op(self, text: str) -> str:
        """Append an instruction and return the name of its result."""
        self._count += 1
        self._lines.append(f"  %t{self._count} = {text}")
        return f"%t{self._count}"

    def at(self, column: str, row_bytes: int, row: str = "%row") -> str:
        """Return the address of a row of a column."""
        return self.op(f"getelementptr i8, ptr %{column}, i64 {self.op(f'mul i64 {row}, {row_bytes}')}")

    def byte(self, address: str, offset: int = 0) -> str:
        """Return the byte at an address as an `i32`."""
        place = self.op(f"getelementptr i8, ptr {address}, i64 {offset}")
        return self.op(f"zext i8 {self.op(f'load i8, ptr {place}')} to i32")

    def call(self, function: str, *arguments: str) -> str:
        """Call a function of libsecp256k1; plain arguments are pointers, others come with their type."""
        typed = [argument if " " in argument else f"ptr {argument}" for argument in ("%context", *arguments)]
        return self.op(f"call i32 %{function}({', '.join(typed)})")

    def go_on_if(self, condition: str, value: str, against: str | int = 0) -> None:
        """Leave the row undone unless the `i32` value compares so, for example `ne` to 0."""
        holds, label = self.op(f"icmp {condition} i32 {value}, {against}"), f"on{self._count}"
        self._lines += [f"  br i1 {holds}, label %{label}, label %next_row", f"{label}:"]

    def store(self, typed: str, address: str, offset: int = 0) -> None:
        """Write a value, given with its type, `offset` bytes behind an address."""
        self._lines.append(f"  store {typed}, ptr {self.op(f'getelementptr i8, ptr {address}, i64 {offset}')}")

    def key(self, type_name: str) -> str:
        """Return the address of the row's parsed key; the row stays undone where that is no key."""
        index = self.op(f"load i64, ptr {self.at('indices', 8)}")
        self.go_on_if("ne", self.byte(self.at("usable", 1, index)))
        return self.at("keys", ffi.sizeof(type_name), index)

    def text(self) -> str:
        """Return the function as a whole."""
        self.store("i8 1", self.at("done", 1))
        arguments = ", ".join([f"ptr %{name}" for name in self.pointers] + ["i64 %start", "i64 %stop"])
        return "\n".join(
            [
                f"define void @{self.name}({arguments}) {{",
                "entry:",
                *self._locals,
                "  br label %head",
                "head:",
                "  %row = phi i64 [ %start, %entry ], [ %following, %next_row ]",
                "  %more = icmp slt i64 %row, %stop",
                "  br i1 %more, label %body, label %end",
                "body:",
                *self._lines,
                "  br label %next_row",
                "next_row:",
                "  %following = add i64 %row, 1",
                "  br label %head",
                "end:",
                "  ret void",
                "}",
            ]
        )


def _parse_compressed() -> Loop:
    c = Loop("parse_compressed", "parse context data keys")
    into = c.at("keys", ffi.sizeof(_POINT))
    data = c.at("data", PUBLIC_KEY_BYTES)
    c.go_on_if("ne", c.call("parse", into, data, f"{_SIZE} {PUBLIC_KEY_BYTES}"))
    return c


def _parse_x_only() -> Loop:
    c = Loop("parse_x_only", "parse context data keys")
    c.go_on_if("ne", c.call("parse", c.at("keys", ffi.sizeof(_X_ONLY)), c.at("data", X_ONLY_BYTES)))
    return c


def _make_keypairs() -> Loop:
    c = Loop("make_keypairs", "create context data keys")
    c.go_on_if("ne", c.call("create", c.at("keys", ffi.sizeof(_KEYPAIR)), c.at("data", SECRET_BYTES)))
    return c


def _verify_ecdsa(normalised: bool) -> Loop:
    name = "verify_ecdsa_normalised" if normalised else "verify_ecdsa"
    c = Loop(name, "parse normalise verify context digests signatures keys usable indices")
    key, signature = c.key(_POINT), c.local(_SIGNATURE)
    c.go_on_if("ne", c.call("parse", signature, c.at("signatures", COMPACT_BYTES)))
    if normalised:
        c.call("normalise", signature, signature)
    c.go_on_if("ne", c.call("verify", signature, c.at("digests", DIGEST_BYTES), key))
    return c


def _verify_schnorr() -> Loop:
    c = Loop("verify_schnorr", "verify context messages signatures keys usable indices")
    key = c.key(_X_ONLY)
    signature, message = c.at("signatures", COMPACT_BYTES), c.at("messages", DIGEST_BYTES)
    c.go_on_if("ne", c.call("verify", signature, message, f"{_SIZE} {DIGEST_BYTES}", key))
    return c


def _sign_ecdsa() -> Loop:
    c = Loop("sign_ecdsa", "sign serialize context digests secrets signatures")
    signature = c.local(_SIGNATURE)
    made = c.call("sign", signature, c.at("digests", DIGEST_BYTES), c.at("secrets", SECRET_BYTES), "null", "null")
    c.go_on_if("ne", made)
    c.call("serialize", c.at("signatures", COMPACT_BYTES), signature)
    return c


def _sign_ecdsa_recoverable() -> Loop:
    c = Loop("sign_ecdsa_recoverable", "sign serialize context digests secrets signatures")
    signature, recovery_id = c.local(_RECOVERABLE), c.local("int")
    made = c.call("sign", signature, c.at("digests", DIGEST_BYTES), c.at("secrets", SECRET_BYTES), "null", "null")
    c.go_on_if("ne", made)
    out = c.at("signatures", RECOVERABLE_BYTES)
    c.call("serialize", out, recovery_id, signature)
    c.store(f"i8 {c.op(f'load i8, ptr {recovery_id}')}", out, COMPACT_BYTES)  # its low byte comes first
    return c


def _sign_schnorr(with_aux: bool) -> Loop:
    name = "sign_schnorr_aux" if with_aux else "sign_schnorr"
    c = Loop(name, "sign context messages aux signatures keys usable indices")
    keypair = c.key(_KEYPAIR)
    out, message = c.at("signatures", COMPACT_BYTES), c.at("messages", DIGEST_BYTES)
    c.go_on_if("ne", c.call("sign", out, message, keypair, c.at("aux", SECRET_BYTES) if with_aux else "null"))
    return c


def _recover(low_s: bool) -> Loop:
    name = "recover_low_s" if low_s else "recover"
    c = Loop(name, "parse convert normalise recover serialize context digests signatures keys")
    signature, plain, point, length = c.local(_RECOVERABLE), c.local(_SIGNATURE), c.local(_POINT), c.local("size_t")
    compact = c.at("signatures", RECOVERABLE_BYTES)
    recovery_id = c.byte(compact, COMPACT_BYTES)
    c.go_on_if("ule", recovery_id, 3)  # libsecp256k1 aborts the process for another
    c.go_on_if("ne", c.call("parse", signature, compact, f"i32 signext {recovery_id}"))
    if low_s:
        c.call("convert", plain, signature)
        c.go_on_if("eq", c.call("normalise", "null", plain))  # says whether s was high
    c.go_on_if("ne", c.call("recover", point, signature, c.at("digests", DIGEST_BYTES)))
    _write_key(c, point, length)
    return c


def _public_keys() -> Loop:
    c = Loop("public_keys", "create serialize context secrets keys")
    point, length = c.local(_POINT), c.local("size_t")
    c.go_on_if("ne", c.call("create", point, c.at("secrets", SECRET_BYTES)))
    _write_key(c, point, length)
    return c


def _write_key(c: Loop, point: str, length: str) -> None:
    c.store(f"{_SIZE} {PUBLIC_KEY_BYTES}", length)
    c.call("serialize", c.at("keys", PUBLIC_KEY_BYTES), length, point, f"i32 signext {_KEY_FLAGS}")


_WRITERS: tuple[Callable[[], Loop], ...] = (
    _parse_compressed,
    _parse_x_only,
    _make_keypairs,
    lambda: _verify_ecdsa(False),
    lambda: _verify_ecdsa(True),
    _verify_schnorr,
    _sign_ecdsa,
    _sign_ecdsa_recoverable,
    lambda: _sign_schnorr(False),
    lambda: _sign_schnorr(True),
    lambda: _recover(False),
    lambda: _recover(True),
    _public_keys,
)


def loops() -> list[Loop]:
    """Return every loop."""
    return [write() for write in _WRITERS]
