"""A small writer of LLVM vector code: one message per lane, the same text for every vector width.

A kernel is a loop over groups of `lanes` messages. Messages lie row after row in memory while the arithmetic wants
word after word, so rows are loaded whole and turned in registers: a stream of vectors whose positions count
(row, word) becomes one that counts (word, row) when each position's bits are rotated, and a perfect shuffle of
the stream rotates them by one.
"""

from collections.abc import Sequence


class VectorCode:
    """Text of one LLVM function over vectors of `lanes` words of `bits` bits."""

    def __init__(self, name: str, arguments: str, lanes: int, bits: int) -> None:
        """Start the function `name` with the argument list `arguments` (LLVM syntax)."""
        self.lanes = lanes
        self.bits = bits
        self.vector = f"<{lanes} x i{bits}>"
        self._name = name
        self._arguments = arguments
        self._lines: list[str] = []
        self._count = 0
        self._declarations: list[str] = []

    def op(self, text: str) -> str:
        """Append an instruction with a result and return the result's name."""
        self._count += 1
        name = f"%t{self._count}"
        self._lines.append(f"  {name} = {text}")
        return name

    def do(self, text: str) -> None:
        """Append an instruction without a result."""
        self._lines.append(f"  {text}")

    def label(self, name: str) -> None:
        """Start the basic block `name`."""
        self._lines.append(f"{name}:")

    def splat(self, value: int) -> str:
        """Return a constant vector with `value` in each lane."""
        return "<" + ", ".join([f"i{self.bits} {value}"] * self.lanes) + ">"

    def add(self, x: str, y: str) -> str:
        """Return x + y, lane by lane, without carry between words."""
        return self.op(f"add {self.vector} {x}, {y}")

    def xor(self, x: str, y: str) -> str:
        """Return x ^ y."""
        return self.op(f"xor {self.vector} {x}, {y}")

    def and_(self, x: str, y: str) -> str:
        """Return x & y."""
        return self.op(f"and {self.vector} {x}, {y}")

    def or_(self, x: str, y: str) -> str:
        """Return x | y."""
        return self.op(f"or {self.vector} {x}, {y}")

    def majority(self, x: str, y: str, z: str) -> str:
        """Return the bits that at least two of x, y, z have.

        On AVX-512 (the only 512-bit target) one instruction, which LLVM does not find by itself: a sixth of SHA-256's
        time. Elsewhere two operations a round, since y ^ z is x ^ y of the round before.
        """
        if self.lanes * self.bits != 512 or self.bits != 32:
            return self.xor(y, self.and_(self.xor(x, y), self.xor(y, z)))
        v, name = self.vector, "@llvm.x86.avx512.pternlog.d.512"
        declaration = f"declare {v} {name}({v}, {v}, {v}, i32 immarg)"
        if declaration not in self._declarations:
            self._declarations.append(declaration)
        return self.op(f"call {v} {name}({v} {x}, {v} {y}, {v} {z}, i32 {0b11101000})")

    def shift_right(self, x: str, n: int) -> str:
        """Return x >> n, filling with zeros."""
        return self.op(f"lshr {self.vector} {x}, {self.splat(n)}")

    def rotate_left(self, x: str, n: int) -> str:
        """Return each word of x rotated left by n bits."""
        v = self.vector
        return self.op(f"call {v} @llvm.fshl.v{self.lanes}i{self.bits}({v} {x}, {v} {x}, {v} {self.splat(n)})")

    def rotate_right(self, x: str, n: int) -> str:
        """Return each word of x rotated right by n bits."""
        return self.rotate_left(x, self.bits - n)

    def swap_bytes(self, x: str) -> str:
        """Return each word of x with its bytes reversed."""
        return self.op(f"call {self.vector} @llvm.bswap.v{self.lanes}i{self.bits}({self.vector} {x})")

    def address(self, base: str, offset: str | int) -> str:
        """Return the address `offset` bytes after `base`."""
        return self.op(f"getelementptr i8, ptr {base}, i64 {offset}")

    def load(self, address: str) -> str:
        """Return the vector at `address`, which may be aligned to nothing."""
        return self.op(f"load {self.vector}, ptr {address}, align 1")

    def store(self, vector: str, address: str) -> None:
        """Write `vector` at `address`, which may be aligned to nothing."""
        self.do(f"store {self.vector} {vector}, ptr {address}, align 1")

    def load_splat(self, address: str) -> str:
        """Return a vector with the word at `address` in each lane."""
        word = self.op(f"load i{self.bits}, ptr {address}, align {self.bits // 8}")
        first = self.op(f"insertelement {self.vector} poison, i{self.bits} {word}, i32 0")
        zeros = f"<{self.lanes} x i32> zeroinitializer"
        return self.op(f"shufflevector {self.vector} {first}, {self.vector} poison, {zeros}")

    def perfect_shuffle(self, stream: Sequence[str]) -> list[str]:
        """Return the stream of words with its first and second half interleaved."""
        half = len(stream) // 2
        low = [i // 2 + (i % 2) * self.lanes for i in range(self.lanes)]
        high = [i + self.lanes // 2 for i in low]
        out = []
        for x, y in zip(stream[:half], stream[half:], strict=True):
            for order in (low, high):
                mask = ", ".join(f"i32 {i}" for i in order)
                v = self.vector
                out.append(self.op(f"shufflevector {v} {x}, {v} {y}, <{self.lanes} x i32> <{mask}>"))
        return out

    def transpose(self, stream: Sequence[str], rows: int) -> list[str]:
        """Return the stream turned from `rows` rows (a power of two) into columns."""
        turned = list(stream)
        for _ in range(rows.bit_length() - 1):
            turned = self.perfect_shuffle(turned)
        return turned

    def phi(self, *sources: tuple[str, str], of: str | None = None) -> str:
        """Return the value that came along: pairs of (value, block it comes from)."""
        pairs = ", ".join(f"[ {value}, %{block} ]" for value, block in sources)
        return self.op(f"phi {of or self.vector} {pairs}")

    def named(self, name: str, vector: str) -> str:
        """Give `vector` the name that a phi before it already uses; costs no machine instruction."""
        self.do(f"{name} = or {self.vector} {vector}, zeroinitializer")
        return name

    def load_parts(self, address: str, count: int) -> list[str]:
        """Return `count` vectors that lie one after the other from `address`."""
        step = self.lanes * self.bits // 8
        return [self.load(self.address(address, step * j)) for j in range(count)]

    def load_rows(self, starts: Sequence[str], masks: Sequence[str], pads: Sequence[str]) -> list[str]:
        """Return the stream of the rows at `starts`, with padding laid over the bytes past each message's end."""
        stream = []
        for start in starts:
            parts = self.load_parts(start, len(masks))
            stream += [self.or_(self.and_(v, m), p) for v, m, p in zip(parts, masks, pads, strict=True)]
        return stream

    def text(self) -> str:
        """Return the whole module."""
        v = self.vector
        return "\n".join(
            [
                f"declare {v} @llvm.fshl.v{self.lanes}i{self.bits}({v}, {v}, {v})",
                f"declare {v} @llvm.bswap.v{self.lanes}i{self.bits}({v})",
                *self._declarations,
                f"define void @{self._name}({self._arguments}) nounwind {{",
                *self._lines,
                "}",
                "",
            ]
        )
