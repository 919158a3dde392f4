"""Named streams of random numbers: drawing more from one changes no other.

A stream belongs to (root seed, replication, name). Its generator is seeded with
`SeedSequence(root, spawn_key=(replication, key of the name))`, the key being the first eight bytes of the
name's SHA-256, so that neither the order in which streams are made nor how much is drawn from one matters.
"""

import hashlib
import math

import numpy as np
import numpy.typing as npt

BLOCK = 1024  # draws taken from the generator at a time by the scalar methods


class Stream:
    """One named source of random numbers: scalars drawn in blocks, or whole arrays from `generator`.

    Scalars and arrays come from two separate generators of the same name, so that mixing them never makes
    a draw depend on the block size.
    """

    __slots__ = ("_block", "_next", "_scalars", "generator", "name")

    def __init__(self, name: str, seed: np.random.SeedSequence) -> None:
        scalars, arrays = seed.spawn(2)
        self.name = name
        self.generator = np.random.Generator(np.random.PCG64(arrays))
        self._scalars = np.random.Generator(np.random.PCG64(scalars))
        self._block: list[float] = []
        self._next = 0

    def uniform(self) -> float:
        """A number in [0, 1)."""
        if self._next == len(self._block):
            self._block = self._scalars.random(BLOCK).tolist()
            self._next = 0
        value = self._block[self._next]
        self._next += 1
        return value

    def exponential(self, mean: float) -> float:
        """An exponential draw with that mean."""
        return -mean * math.log1p(-self.uniform())

    def exponential_ns(self, mean_ns: int) -> int:
        """An exponential waiting time in whole nanoseconds, at least one, so that time moves on."""
        return max(1, round(self.exponential(mean_ns)))

    def integer(self, stop: int) -> int:
        """A whole number in 0..stop-1, each as likely (to within 2**-53)."""
        return int(self.uniform() * stop)

    def bytes(self, count: int) -> bytes:
        """`count` random bytes, from the array generator."""
        return self.generator.bytes(count)


class Streams:
    """All streams of one replication, made when first asked for.

    >>> streams = Streams(seed=1)
    >>> streams.get("arrivals").uniform() == Streams(seed=1).get("arrivals").uniform()
    True
    """

    def __init__(self, seed: int, replication: int = 0) -> None:
        if seed < 0 or replication < 0:
            raise ValueError(f"seed and replication must be at least 0 (got {seed} and {replication})")
        self.seed = seed
        self.replication = replication
        self._streams: dict[str, Stream] = {}

    def get(self, name: str) -> Stream:
        """The stream of that name; the same object each time."""
        stream = self._streams.get(name)
        if stream is None:
            key = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8], "big")
            stream = Stream(name, np.random.SeedSequence(self.seed, spawn_key=(self.replication, key)))
            self._streams[name] = stream
        return stream

    def secret(self, name: str, index: int) -> bytes:
        """A 32-byte secret of its own for (seed, replication, name, index), for simulated keys."""
        material = f"l2sim/{self.seed}/{self.replication}/{name}/{index}".encode()
        return hashlib.sha256(material).digest()

    def secrets(self, name: str, count: int) -> npt.NDArray[np.uint8]:
        """Secrets 0..count-1 of that name as a `(count, 32)` array of bytes."""
        joined = b"".join(self.secret(name, index) for index in range(count))
        return np.frombuffer(joined, np.uint8).reshape(count, 32)
