"""The batches' arrays: which shapes they take, which they refuse and how they say so."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import l2sim.crypto
from l2sim.crypto.compiler import KernelUnavailableError
from l2sim.crypto.signatures import (
    KeyRows,
    KeyTable,
    Rule,
    _arrays,
    _compiled_loops,
    kernel_info,
    public_keys_batch,
    recover_batch,
    sign_ecdsa_batch,
    sign_ecdsa_recoverable_batch,
    sign_schnorr_batch,
    verify_ecdsa_batch,
    verify_schnorr_batch,
)
from l2sim.crypto.signatures._secp256k1 import COMPRESSED
from l2sim.crypto.signatures.key_table import rows_of_keys

Array = np.ndarray[Any, Any]
ROWS = 40  # more than stay on the calling thread


def random_rows(rows: int, width: int, seed: int) -> Array:
    return np.random.default_rng(seed).integers(0, 256, (rows, width), dtype=np.uint8)


DIGESTS = random_rows(ROWS, 32, 1)
SECRETS = random_rows(ROWS, 32, 2)
KEYS = public_keys_batch(SECRETS)
ECDSA = sign_ecdsa_batch(DIGESTS, SECRETS)
SCHNORR = sign_schnorr_batch(DIGESTS, SECRETS)
RECOVERABLE = sign_ecdsa_recoverable_batch(DIGESTS, SECRETS)

TAKES: dict[Callable[..., Any], dict[str, Array]] = {
    verify_ecdsa_batch: {"digests": DIGESTS, "signatures": ECDSA, "public_keys": KEYS},
    verify_schnorr_batch: {"messages": DIGESTS, "signatures": SCHNORR, "public_keys": KEYS[:, 1:]},
    sign_ecdsa_batch: {"digests": DIGESTS, "secrets": SECRETS},
    sign_ecdsa_recoverable_batch: {"digests": DIGESTS, "secrets": SECRETS},
    sign_schnorr_batch: {"messages": DIGESTS, "secrets": SECRETS, "aux": DIGESTS},
    recover_batch: {"digests": DIGESTS, "signatures": RECOVERABLE},
    public_keys_batch: {"secrets": SECRETS},
}
EACH = [(function, name) for function, arguments in TAKES.items() for name in arguments]


def compiled_or_skip() -> None:
    try:
        _compiled_loops.load()
    except KernelUnavailableError as error:
        pytest.skip(f"compiled loops cannot run here: {error}")


def as_tuple(result: Any) -> tuple[Array, ...]:
    return result if isinstance(result, tuple) else (result,)


def assert_same(left: Any, right: Any) -> None:
    for a, b in zip(as_tuple(left), as_tuple(right), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(("function", "name"), EACH)
@pytest.mark.parametrize(
    ("spoil", "got"),
    [
        (lambda array: array[:, :-1], r"uint8 of shape \(40, \d+\)"),
        (lambda array: np.hstack([array, array]), r"uint8 of shape \(40, \d+\)"),
        (lambda array: array[0], r"uint8 of shape \(\d+,\)"),
        (lambda array: array[None], r"uint8 of shape \(1, 40, \d+\)"),
        (lambda array: array.astype(np.int8), "int8 of shape"),
        (lambda array: array.astype(np.uint64), "uint64 of shape"),
        (lambda array: array.tobytes(), "got bytes"),
        (lambda array: array.tolist(), "got list"),
    ],
)
def test_another_shape_or_type_is_refused_by_name(
    function: Callable[..., Any], name: str, spoil: Callable[[Array], Any], got: str
) -> None:
    arguments = {**TAKES[function], name: spoil(TAKES[function][name])}
    with pytest.raises(ValueError, match=rf"^{name}: must be a .*uint8 array of shape \(n, \d+\) \(.*{got}"):
        function(**arguments)


@pytest.mark.parametrize(
    ("function", "name"), [(function, name) for function, name in EACH if name != next(iter(TAKES[function]))]
)
def test_another_number_of_rows_is_refused_by_name(function: Callable[..., Any], name: str) -> None:
    with pytest.raises(ValueError, match=rf"^{name}: must have 40 rows, as the first argument has \(got 39\)"):
        function(**{**TAKES[function], name: TAKES[function][name][:-1]})


@pytest.mark.parametrize("function", TAKES)
def test_zero_rows_give_zero_rows(function: Callable[..., Any]) -> None:
    for result in as_tuple(function(**{name: array[:0] for name, array in TAKES[function].items()})):
        assert len(result) == 0


@pytest.mark.parametrize("function", TAKES)
def test_rows_scattered_in_memory_or_locked_are_the_same_rows(function: Callable[..., Any]) -> None:
    arguments = TAKES[function]
    expected = function(**arguments)
    doubled = {name: np.repeat(array, 2, axis=0)[::2] for name, array in arguments.items()}
    columns = {name: np.asfortranarray(array) for name, array in arguments.items()}
    backwards = {name: np.ascontiguousarray(array[::-1])[::-1] for name, array in arguments.items()}
    locked = {name: array.copy() for name, array in arguments.items()}
    for array in locked.values():
        array.flags.writeable = False
    for variant in (doubled, columns, backwards, locked):
        assert_same(function(**variant), expected)


@pytest.mark.parametrize("function", TAKES)
@pytest.mark.parametrize("threads", [1, 2, 3, 64])
def test_the_number_of_threads_changes_nothing(function: Callable[..., Any], threads: int) -> None:
    assert_same(function(**TAKES[function], threads=threads), function(**TAKES[function]))


@pytest.mark.parametrize("function", [*TAKES, KeyTable])
@pytest.mark.parametrize("rows", [0, 1, ROWS])
def test_threads_are_none_or_at_least_one(function: Callable[..., Any], rows: int) -> None:
    given = {name: array[:rows] for name, array in TAKES.get(function, {"public_keys": KEYS}).items()}
    for threads in (0, -2):
        with pytest.raises(ValueError, match=rf"^threads: must be at least 1 \(got {threads}\)"):
            function(**given, threads=threads)
    for threads in (1.5, 2.0, "2", True, np.bool_(True), [1]):
        with pytest.raises(TypeError, match=r"^threads: must be an integer, or None .*\(got "):
            function(**given, threads=threads)
    assert len(as_tuple(function(**given, threads=np.int64(2)))[0]) == rows


@pytest.mark.parametrize(("function", "name"), EACH)
def test_a_masked_array_is_refused(function: Callable[..., Any], name: str) -> None:
    masked = np.ma.masked_array(TAKES[function][name], mask=False)
    with pytest.raises(ValueError, match=rf"^{name}: must be .* without a mask \(got MaskedArray\); fill it"):
        function(**{**TAKES[function], name: masked})


def test_an_array_of_another_class_is_taken_for_the_array_it_is() -> None:
    class Wider(np.ndarray):
        @property
        def shape(self) -> tuple[int, int]:  # type: ignore[override]  # that is the point
            return (ROWS, 32)

    narrow = np.zeros((ROWS, 8), dtype=np.uint8).view(Wider)
    with pytest.raises(ValueError, match=r"secrets: must be .* \(got uint8 of shape \(40, 8\)\)"):
        public_keys_batch(narrow)
    assert_same(public_keys_batch(SECRETS.view(np.matrix)), KEYS)


@pytest.mark.parametrize("rule", ["bitcoin", "plain", "PLAIN", None, 1])
def test_a_rule_is_a_rule_and_not_its_name(rule: Any) -> None:
    for function in (verify_ecdsa_batch, recover_batch):
        for rows in (0, ROWS):
            given = {name: array[:rows] for name, array in TAKES[function].items()}
            with pytest.raises(TypeError, match=rf"^rule: must be Rule\.BITCOIN or Rule\.PLAIN \(got {rule!r}\)"):
                function(**given, rule=rule)


@pytest.mark.parametrize("function", [function for function in TAKES if "secrets" in TAKES[function]])
@pytest.mark.parametrize("spoilt", [bytes(32), b"\xff" * 32])
def test_a_secret_that_cannot_sign_is_named_by_its_row(function: Callable[..., Any], spoilt: bytes) -> None:
    secrets = SECRETS.copy()
    secrets[[7, 31]] = np.frombuffer(spoilt, dtype=np.uint8)
    for threads in (1, 2):
        with pytest.raises(ValueError, match=r"secrets\[7\]: must be a number from 1 to n - 1"):
            function(**{**TAKES[function], "secrets": secrets}, threads=threads)


def test_a_key_table_stands_for_its_rows() -> None:
    who = np.random.default_rng(3).integers(0, ROWS, ROWS)
    signatures = sign_ecdsa_batch(DIGESTS, SECRETS[who])
    table = KeyTable(KEYS)
    assert len(table) == ROWS
    assert table.valid.all()
    assert verify_ecdsa_batch(DIGESTS, signatures, table.rows(who)).all()
    assert not verify_ecdsa_batch(DIGESTS, signatures, table.rows((who + 1) % ROWS)).any()
    x_only = KeyTable(KEYS[:, 1:])
    assert verify_schnorr_batch(DIGESTS, SCHNORR, x_only.rows(np.arange(ROWS))).all()


def test_a_key_table_keeps_bad_keys_in_their_places() -> None:
    keys = KEYS.copy()
    keys[5] = 0
    table = KeyTable(keys)
    assert np.flatnonzero(~table.valid).tolist() == [5]
    valid = verify_ecdsa_batch(DIGESTS, ECDSA, table.rows(np.arange(ROWS)))
    assert np.flatnonzero(~valid).tolist() == [5]


def test_what_a_key_table_refuses() -> None:
    table = KeyTable(KEYS)
    with pytest.raises(ValueError, match=r"public_keys: must be a uint8 array of shape \(n, 33\)"):
        KeyTable(KEYS[:, :31])
    with pytest.raises(ValueError, match=r"public_keys: must be .* without a mask"):
        KeyTable(np.ma.masked_array(KEYS))
    with pytest.raises(TypeError, match=r"table: must be a KeyTable \(got ndarray\)"):
        KeyRows(KEYS, np.arange(2))  # type: ignore[arg-type]  # that is the point
    with pytest.raises(ValueError, match="must be rows of a KeyTable of 32-byte keys"):
        verify_schnorr_batch(DIGESTS, SCHNORR, table.rows(np.arange(ROWS)))
    with pytest.raises(ValueError, match=r"public_keys: must have 40 rows.*\(got 2\)"):
        verify_ecdsa_batch(DIGESTS, ECDSA, table.rows(np.arange(2)))
    assert verify_ecdsa_batch(DIGESTS[:0], ECDSA[:0], KeyTable(KEYS[:0]).rows(np.arange(0))).shape == (0,)


@pytest.mark.parametrize("choose", [KeyTable.rows, KeyRows])
def test_indices_outside_the_table_are_refused(choose: Callable[[KeyTable, Any], KeyRows]) -> None:
    table, empty = KeyTable(KEYS), KeyTable(KEYS[:0])
    for indices, got in (([0, 40], "0 to 40"), ([3, -1], "-1 to 3"), ([2**40], f"{2**40} to {2**40}")):
        with pytest.raises(ValueError, match=rf"^indices: must be from 0 to 39 \(got {got}\)"):
            choose(table, np.array(indices))
    with pytest.raises(ValueError, match=rf"^indices: must be from 0 to 39 \(got 0 to {2**64 - 1}\)"):
        choose(table, np.array([0, 2**64 - 1], dtype=np.uint64))
    with pytest.raises(ValueError, match=r"^indices: must be empty, as the table has no keys \(got 0 to 7\)"):
        choose(empty, np.array([7, 0]))
    for wrong, got in (
        (np.array([0.0]), r"float64 of shape \(1,\)"),
        (np.array([[0]]), r"int64 of shape \(1, 1\)"),
        (np.array(0), r"int64 of shape \(\)"),
        (np.array([True]), r"bool of shape \(1,\)"),
        ([0], "list"),
    ):
        with pytest.raises(
            ValueError, match=rf"^indices: must be a one-dimensional numpy array of integers \(got {got}"
        ):
            choose(table, wrong)
    with pytest.raises(ValueError, match=r"^indices: must be a one-dimensional .* without a mask"):
        choose(table, np.ma.masked_array([0, 99], mask=[False, True]))
    assert len(choose(empty, np.arange(0))) == 0
    assert verify_ecdsa_batch(DIGESTS, ECDSA, choose(table, np.arange(ROWS, dtype=np.uint8))).all()


def test_the_form_of_a_key_table_cannot_be_set() -> None:
    table, x_only = KeyTable(KEYS), KeyTable(KEYS[:, 1:])
    for thing in (table, table.rows(np.arange(ROWS))):
        with pytest.raises(AttributeError, match=r"property 'form' of .* has no setter"):
            thing.form = x_only.form  # type: ignore[misc]  # that is the point


def test_indices_changed_after_the_check_do_no_harm() -> None:
    table, indices = KeyTable(KEYS), np.arange(ROWS)
    rows = table.rows(indices)
    indices[:] = 10**9
    assert verify_ecdsa_batch(DIGESTS, ECDSA, rows).all()


def test_equal_keys_of_a_batch_are_parsed_once() -> None:
    keys = KEYS[[0, 1, 0, 2, 1]]
    rows = rows_of_keys(keys, COMPRESSED)
    parsed, usable, places = rows.columns()
    assert (len(parsed), usable.tolist(), places.tolist()) == (3, [1, 1, 1], [0, 1, 0, 2, 1])
    chosen = [0, 1, 0, 2, 1] * 10
    assert_same(sign_schnorr_batch(DIGESTS[chosen], SECRETS[chosen]), SCHNORR[chosen])


@pytest.mark.parametrize("function", TAKES)
def test_compiled_loops_and_the_reference_give_the_same(function: Callable[..., Any]) -> None:
    compiled_or_skip()
    spoilt = {name: array.copy() for name, array in TAKES[function].items()}
    if "secrets" not in spoilt:
        for row, array in enumerate(spoilt.values()):
            array[row::5] ^= 0x80
        spoilt["signatures"][3] = 255
    assert_same(function(**spoilt, kernel="lanes"), function(**spoilt, kernel="reference"))
    few = {name: array[:3] for name, array in spoilt.items()}
    assert_same(function(**few, kernel="lanes"), function(**few, kernel="auto"))


@pytest.mark.parametrize("kernel", ["lanes", "reference"])
def test_either_kernel_names_the_first_secret_that_cannot_sign(kernel: Any) -> None:
    compiled_or_skip()
    secrets = np.tile(SECRETS, (60, 1))
    secrets[[900, 901, 2399]] = 0
    for function in (public_keys_batch, lambda rows, **more: sign_schnorr_batch(rows, rows, **more)):
        with pytest.raises(ValueError, match=r"^secrets\[900\]: must be a number from 1 to n - 1"):
            function(secrets, kernel=kernel, threads=2)


@pytest.mark.parametrize("function", [*TAKES, KeyTable])
def test_another_kernel_is_refused(function: Callable[..., Any]) -> None:
    given = TAKES.get(function, {"public_keys": KEYS})
    with pytest.raises(ValueError, match=r"^kernel: must be one of auto, lanes, reference \(got 'fast'\)"):
        function(**given, kernel="fast")


def test_the_setting_chooses_the_kernel(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("L2SIM_KERNELS", "reference")
    monkeypatch.setattr(_compiled_loops, "load", lambda: pytest.fail("the setting says reference"))
    assert verify_ecdsa_batch(DIGESTS, ECDSA, KEYS).all()
    assert kernel_info() == {"kernel": "reference", "reason": "L2SIM_KERNELS is set to reference"}


def test_without_a_compiler_the_reference_runs_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    def unavailable() -> None:
        raise KernelUnavailableError("no compiler on this machine")

    monkeypatch.delenv("L2SIM_KERNELS", raising=False)
    monkeypatch.setattr(_compiled_loops, "load", unavailable)
    assert verify_ecdsa_batch(DIGESTS, ECDSA, KEYS).all()
    assert_same(recover_batch(DIGESTS, RECOVERABLE)[0], KEYS)
    assert kernel_info() == {"kernel": "reference", "reason": "no compiler on this machine"}
    with pytest.raises(KernelUnavailableError, match="no compiler"):
        verify_ecdsa_batch(DIGESTS, ECDSA, KEYS, kernel="lanes")


def test_compiled_loops_are_kept_on_disk(tmp_path: Path) -> None:
    compiled_or_skip()
    program = "from l2sim.crypto.signatures import kernel_info; print(kernel_info()['source'])"
    environment = {**os.environ, "L2SIM_CACHE_DIR": str(tmp_path), "L2SIM_KERNELS": "auto"}
    environment["PYTHONPATH"] = str(Path(__file__).resolve().parents[2])

    def source() -> str:
        done = subprocess.run([sys.executable, "-c", program], env=environment, check=True, capture_output=True)
        return done.stdout.decode().strip()

    assert [source(), source()] == ["compiled", "cache"]


def test_shares_cover_the_rows_once_and_shrink() -> None:
    for rows in (17, 40, 2000, 100_003):
        for threads in (2, 3, 64):
            found = _arrays.shares(rows, threads)
            assert [start for start, _ in found] == [0, *[stop for _, stop in found[:-1]]]
            assert found[-1][1] == rows
            sizes = [stop - start for start, stop in found]
            assert sizes == sorted(sizes, reverse=True)
            assert sizes[-1] <= 8


def test_recovery_under_the_strict_rule_leaves_high_s_out() -> None:
    flipped = RECOVERABLE.copy()
    order = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
    for row in range(0, ROWS, 2):
        s = order - int.from_bytes(flipped[row, 32:64].tobytes(), "big")
        flipped[row, 32:64] = np.frombuffer(s.to_bytes(32, "big"), dtype=np.uint8)
        flipped[row, 64] ^= 1
    found_keys, found = recover_batch(DIGESTS, flipped)
    assert found.all()
    np.testing.assert_array_equal(found_keys, KEYS)
    strict_keys, strict = recover_batch(DIGESTS, flipped, rule=Rule.BITCOIN)
    assert strict.tolist() == [False, True] * (ROWS // 2)
    np.testing.assert_array_equal(strict_keys, np.where(strict[:, None], KEYS, 0))


def test_the_room_loads_nothing_until_asked() -> None:
    program = (
        "import sys, l2sim.crypto; "
        "assert not {'coincurve', 'numpy', 'numba', 'llvmlite'} & set(sys.modules); "
        "from l2sim.crypto import verify_ecdsa_batch; "
        "assert not {'numba', 'llvmlite', 'py_arkworks_bls12381'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


def test_every_public_name_of_the_room_can_be_had() -> None:
    for name in l2sim.crypto.__all__:
        assert getattr(l2sim.crypto, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'verify_rsa'"):
        l2sim.crypto.verify_rsa  # noqa: B018
