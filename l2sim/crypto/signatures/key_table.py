"""Public keys parsed once, for a verifier that meets the same signers again and again.

A compressed key holds only its x; to find y costs a square root, about an eighth of a verification. A batch that
is given the bytes of keys pays it once for each distinct key; one that is given rows of a `KeyTable` not at all.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from l2sim.crypto.arrays import as_plain
from l2sim.crypto.kernels import Kernel
from l2sim.crypto.signatures._arrays import Bytes, check_rows, spread
from l2sim.crypto.signatures._choice import loops_for
from l2sim.crypto.signatures._secp256k1 import COMPRESSED, X_ONLY, CData, KeyForm, ffi

__all__ = ["KeyRows", "KeyTable"]


class KeyTable:
    """A fixed list of public keys in libsecp256k1's parsed form, 64 bytes each.

    Takes an array `(m, 33)` of compressed keys for ECDSA or `(m, 32)` of x-only keys for Schnorr; any other
    shape raises ValueError. A row that is no point of the curve stays, and verifies nothing.

    >>> from l2sim.crypto.signatures.batch import public_keys_batch
    >>> secrets = np.zeros((2, 32), dtype=np.uint8)
    >>> secrets[:, 31] = 1, 2
    >>> table = KeyTable(public_keys_batch(secrets))
    >>> table.valid.tolist(), len(table.rows(np.array([1, 1, 0])))
    ([True, True], 3)
    """

    __slots__ = ("_form", "_parsed", "_valid")

    def __init__(self, public_keys: Bytes, *, threads: int | None = None, kernel: Kernel | None = None) -> None:
        x_only = isinstance(public_keys, np.ndarray) and public_keys.shape[1:] == (X_ONLY.key_bytes,)
        form = X_ONLY if x_only else COMPRESSED
        keys = check_rows("public_keys", public_keys, form.key_bytes)
        self._fill(keys, form, threads, kernel)

    @classmethod
    def of_checked(
        cls, keys: Bytes, form: KeyForm, *, threads: int | None = None, kernel: Kernel | None = None
    ) -> "KeyTable":
        """Return the table of rows whose form is known and whose shape was checked; key pairs of secrets too."""
        table = cls.__new__(cls)
        table._fill(keys, form, threads, kernel)
        return table

    def _fill(self, keys: Bytes, form: KeyForm, threads: int | None, kernel: Kernel | None) -> None:
        parsed = np.zeros((len(keys), ffi.sizeof(form.type)), dtype=np.uint8)
        valid = bytearray(len(keys))
        loops = loops_for(len(keys), kernel)
        spread(lambda start, stop: loops.parse_keys(form, keys, parsed, valid, start, stop), len(keys), threads)
        self._form = form
        self._parsed = parsed
        self._valid = bytes(valid)

    def __len__(self) -> int:
        return len(self._valid)

    @property
    def form(self) -> KeyForm:
        """Whether the keys are compressed or x-only."""
        return self._form

    @property
    def valid(self) -> npt.NDArray[np.bool_]:
        """Which rows are points of the curve; shape `(m,)`."""
        return np.frombuffer(self._valid, dtype=np.bool_)

    def rows(self, indices: npt.NDArray[np.integer]) -> "KeyRows":
        """Choose the key of each signature of a batch by its row in this table; arguments and errors as `KeyRows`."""
        return KeyRows(self, indices)


class KeyRows:
    """The keys of a batch of signatures, as rows of a `KeyTable`.

    Raises TypeError where `table` is no KeyTable, ValueError unless `indices` is a one-dimensional array of
    integers from 0 to len(table) - 1.
    """

    __slots__ = ("_indices", "_table")

    def __init__(self, table: KeyTable, indices: npt.NDArray[np.integer]) -> None:
        if not isinstance(table, KeyTable):
            raise TypeError(f"table: must be a KeyTable (got {type(table).__name__})")
        rule = "a one-dimensional numpy array of integers"
        chosen = as_plain("indices", indices, rule).copy()  # checked once, so nobody may change them afterwards
        if chosen.ndim != 1 or chosen.dtype.kind not in "iu":
            raise ValueError(f"indices: must be {rule} (got {chosen.dtype} of shape {chosen.shape})")
        if len(chosen):
            least, most, rows = int(chosen.min()), int(chosen.max()), len(table._valid)
            if not rows:
                raise ValueError(f"indices: must be empty, as the table has no keys (got {least} to {most})")
            if least < 0 or most >= rows:
                raise ValueError(f"indices: must be from 0 to {rows - 1} (got {least} to {most})")
        self._table = table
        self._indices = chosen.astype(np.int64, copy=False)

    def __len__(self) -> int:
        return len(self._indices)

    @property
    def form(self) -> KeyForm:
        """Whether the keys are compressed or x-only."""
        return self._table.form

    def pointers(self, start: int, stop: int) -> Iterator[CData | None]:
        """Yield libsecp256k1's object for each key from start to stop, None where it is no point."""
        valid = self._table._valid
        first = ffi.from_buffer(self.form.type + "[]", self._table._parsed)
        for row in self._indices[start:stop].tolist():
            yield first + row if valid[row] else None

    def columns(self) -> tuple[npt.NDArray[Any], npt.NDArray[Any], npt.NDArray[Any]]:
        """Return the table's parsed keys, a byte for each that says whether it is a key, and each row's place there."""
        return self._table._parsed, np.frombuffer(self._table._valid, dtype=np.uint8), self._indices


def rows_of_keys(keys: Bytes, form: KeyForm, *, threads: int | None = None, kernel: Kernel | None = None) -> KeyRows:
    """Return rows of checked bytes as rows of a table in which equal keys stand once."""
    data, width = keys.tobytes(), form.key_bytes
    places: dict[bytes, int] = {}
    chosen = [places.setdefault(data[at : at + width], len(places)) for at in range(0, len(data), width)]
    distinct = np.frombuffer(b"".join(places), dtype=np.uint8).reshape(-1, width)
    table = KeyTable.of_checked(distinct, form, threads=threads, kernel=kernel)
    return table.rows(np.array(chosen, dtype=np.int64))
