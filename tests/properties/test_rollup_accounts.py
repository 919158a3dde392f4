"""Accounts and their execution: the compiled loop against the plain one, the tree against a dictionary."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from l2sim.crypto.hashing.reference import keccak256
from l2sim.crypto.trees.sparse import SparseMerkleTree
from l2sim.crypto.work import Work
from l2sim.money import Prices
from l2sim.systems.rollup.accounts import Accounts, StateDelta, StateTree, amounts_in_wei, path_nodes
from l2sim.systems.rollup.kernels import DONE, execute_transfers, execute_transfers_plain, join, split

USERS = 6
WEI = st.one_of(
    st.integers(0, 30),
    st.integers(2**64 - 20, 2**64 + 20),
    st.integers(0, 2**70),
)


@st.composite
def runs(draw: st.DrawFn) -> dict[str, object]:
    count = draw(st.integers(0, 30))
    balances = [split(draw(WEI)) for _ in range(USERS)]
    amounts = [split(draw(WEI)) for _ in range(count)]
    payers = [draw(st.integers(0, USERS - 1)) for _ in range(count)]
    return {
        "low": np.array([low for low, _ in balances], np.uint64),
        "high": np.array([high for _, high in balances], np.uint64),
        "nonces": np.arange(USERS, dtype=np.uint64),
        "is_open": np.array([draw(st.booleans()) for _ in range(USERS)]),
        "touched": np.zeros(USERS, np.bool_),
        "payers": np.array(payers, np.int32),
        "payees": np.array([(payer + draw(st.integers(1, USERS - 1))) % USERS for payer in payers], np.int32),
        "amounts_low": np.array([low for low, _ in amounts], np.uint64),
        "amounts_high": np.array([high for _, high in amounts], np.uint64),
        "fee": np.uint64(draw(st.sampled_from([0, 1, 7, 2**63]))),
        "room": draw(st.integers(0, 30)),
        "verdicts": np.zeros(count, np.uint8),
        "used_nonces": np.zeros(count, np.uint64),
    }


def total(run: dict[str, object]) -> int:
    return sum(join(low, high) for low, high in zip(run["low"], run["high"], strict=True))  # type: ignore[call-overload]  # columns


@given(runs())
def test_the_compiled_loop_does_what_the_plain_one_does(run: dict[str, object]) -> None:
    twin = {name: value.copy() if isinstance(value, np.ndarray) else value for name, value in run.items()}
    before = total(run)
    assert execute_transfers(*run.values()) == execute_transfers_plain(*twin.values())  # type: ignore[arg-type]  # columns
    for name, value in run.items():
        assert np.array_equal(value, twin[name]), name  # type: ignore[arg-type]  # columns or numbers
    done = int(np.count_nonzero(run["verdicts"] == DONE))
    assert before == total(run) + done * int(run["fee"])  # type: ignore[call-overload]  # a number
    assert done <= run["room"]  # type: ignore[operator]  # a number


@given(st.lists(st.tuples(st.integers(0, USERS - 1), WEI), max_size=20))
def test_balances_and_their_total_are_exact_beyond_64_bits(deposits: list[tuple[int, int]]) -> None:
    accounts = Accounts(USERS)
    plain = [0] * USERS
    for user, amount_wei in deposits:
        accounts.credit(user, amount_wei)
        plain[user] += amount_wei
    assert [accounts.balance_wei(user) for user in range(USERS)] == plain
    assert accounts.total_wei == sum(plain)


@given(
    st.lists(st.integers(1, 10**15), min_size=1, max_size=20),
    st.integers(100, 10**9),
    st.integers(100, 10**8),
)
def test_amounts_convert_as_prices_say_however_large(amounts: list[int], btc_cents: int, eth_cents: int) -> None:
    prices = Prices(btc_usd_cents=btc_cents, eth_usd_cents=eth_cents)
    low, high = amounts_in_wei(np.array(amounts, np.int64), prices)
    assert [join(a, b) for a, b in zip(low, high, strict=True)] == [prices.msat_to_wei(amount) for amount in amounts]


@settings(max_examples=30)
@given(st.lists(st.lists(st.tuples(st.integers(0, 40), st.integers(1, 2**80)), max_size=8), min_size=1, max_size=4))
def test_the_state_root_is_that_of_a_dictionary_of_leaves(batches: list[list[tuple[int, int]]]) -> None:
    accounts = Accounts(41)
    tree, reference = StateTree(real=True, work=Work()), SparseMerkleTree(32)
    plain: dict[int, int] = {}
    for deposits in batches:
        deltas = []
        for user, amount_wei in deposits:
            accounts.credit(user, amount_wei)
            plain[user] = plain.get(user, 0) + amount_wei
            deltas.append(accounts.take_delta())
        root = tree.update(StateDelta.merge([*deltas, accounts.take_delta()]))
        if plain:
            leaves = [keccak256(balance.to_bytes(32, "big") + bytes(32)) for balance in plain.values()]
            reference.update(np.array(list(plain), np.uint64), leaves)
        assert root == reference.root


@given(st.sets(st.integers(0, 2**32 - 1), max_size=40))
def test_an_update_hashes_the_distinct_ancestors(leaves: set[int]) -> None:
    expected = sum(len({leaf >> height for leaf in leaves}) for height in range(1, 33))
    assert path_nodes(np.array(sorted(leaves), np.int64), 32) == expected


def test_counted_work_is_the_same_with_and_without_hashing() -> None:
    real, modelled = Work(), Work()
    for work, is_real in ((real, True), (modelled, False)):
        accounts, tree = Accounts(100), StateTree(is_real, work)
        for user in range(0, 100, 7):
            accounts.credit(user, 5)
        root = tree.update(accounts.take_delta())
        assert (root is not None) is is_real
    assert real == modelled
    assert real.hashes > 15
