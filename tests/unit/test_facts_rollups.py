"""A few values of each published file about L1 and rollups, with their source, for a copy of l2sim alone.

The files themselves are read by the tests that `docs/vectors.md` names; what is here needs nothing but the project.
"""

from dataclasses import replace
from itertools import pairwise

import pytest

from l2sim.crypto.trees import rfc6962
from l2sim.crypto.trees.patricia import patricia_root
from l2sim.l1.ethereum.fees import (
    blob_base_fee,
    fake_exponential,
    gas_limit_follows,
    next_base_fee,
    next_excess_blob_gas,
)
from l2sim.l1.ethereum.forks import GAS_PER_BLOB, fork_named
from l2sim.l1.ethereum.gas import floor_gas, intrinsic_gas
from l2sim.systems.rollup.arbitrum_pricing import L1Pricing, Report
from l2sim.systems.rollup.fastlz import fastlz_length
from l2sim.systems.rollup.formats import chunks
from l2sim.systems.rollup.op_fees import L1FeeParameters, data_cost, op_fork_named, operator_fee
from l2sim.systems.rollup.posting import cheaper_medium
from l2sim.systems.rollup.settlement.dispute import bond_wei


@pytest.mark.parametrize(
    ("parent", "used", "limit", "fee"),
    [  # alloy, crates/eips/src/eip1559/helpers.rs
        (1_000_000_000, 10_000_000, 10_000_000, 1_125_000_000),
        (1_000_000_000, 10_000_000, 14_000_000, 1_053_571_428),
        (1_059_263_476, 10_001_000, 14_000_000, 1_116_028_649),
        (1, 10_000_000, 18_000_000, 2),
    ],
)
def test_base_fees_of_eip1559(parent: int, used: int, limit: int, fee: int) -> None:
    assert next_base_fee(parent, used, limit) == fee


def test_base_fees_of_op_chains() -> None:
    # alloy, crates/eips/src/eip1559/helpers.rs: OP Mainnet before Canyon, elasticity 6, denominator 50
    assert next_base_fee(10**9, 10_000_000, 10_000_000, elasticity=6, denominator=50) == 1_100_000_048


def test_gas_limit_bounds_of_eip1559() -> None:
    # go-ethereum, consensus/misc/eip1559/eip1559_test.go
    assert gas_limit_follows(20_000_000, 20_000_000) is True
    assert gas_limit_follows(20_000_000, 20_019_531) is False
    assert gas_limit_follows(20_000_000, 19_980_469) is False
    assert gas_limit_follows(40_000_000, 40_039_062) is False


@pytest.mark.parametrize(
    ("factor", "numerator", "denominator", "expected"),
    [  # go-ethereum, consensus/misc/eip4844/eip4844_test.go
        (1, 8, 2, 50),
        (11, 8, 2, 596),
        (1, 50_000_000, 2_225_652, 5_709_098_764),
    ],
)
def test_exponentials_of_eip4844(factor: int, numerator: int, denominator: int, expected: int) -> None:
    assert fake_exponential(factor, numerator, denominator) == expected


@pytest.mark.parametrize(
    ("excess", "fee"),
    [(0, 1), (2_314_058, 2), (148_099_578, 18_446_739_238_971_471_609), (161_087_488, 902_580_055_246_494_526_580)],
)
def test_blob_base_fees_of_eip4844(excess: int, fee: int) -> None:
    # go-ethereum, consensus/misc/eip4844/eip4844_test.go, at Cancun's fraction
    assert blob_base_fee(excess, 3_338_477) == fee


def test_excess_blob_gas_before_and_after_eip7918() -> None:
    # go-ethereum, consensus/misc/eip4844/eip4844_test.go; the last with a schedule that only its test has
    cancun, osaka = fork_named("cancun"), fork_named("osaka")
    assert next_excess_blob_gas(1, 4 * GAS_PER_BLOB, 0, cancun) == 131_073
    assert next_excess_blob_gas(393_216, GAS_PER_BLOB, 0, cancun) == 131_072
    assert next_excess_blob_gas(0, 6 * GAS_PER_BLOB, 10**9, osaka) == 262_144
    custom = replace(osaka, target_blobs=9, max_blobs=14, blob_update_fraction=8_832_827)
    assert next_excess_blob_gas(5_149_252, 10 * GAS_PER_BLOB, 30, custom) == 5_617_366


@pytest.mark.parametrize(
    ("fork", "steps"),
    [  # ethereum-execution 2.20.0 (execution-specs, CC0): blobs and gas used in a block, the three values in force
        (
            "cancun",
            [
                (3, 15_845_920, 300_000_000, 0, 1),
                (3, 0, 302_114_800, 0, 1),
                (6, 20_382_236, 264_350_450, 0, 1),
                (0, 8_936_570, 276_207_087, 393_216, 1),
            ],
        ),
        (
            "bpo2",
            [
                (13, 0, 7, 35_326_255, 20),
                (7, 8_170_340, 7, 35_195_183, 20),
                (14, 5_099_711, 7, 34_277_679, 18),
                (9, 30_000_000, 7, 34_277_679, 18),
            ],
        ),
    ],
)
def test_fees_move_together(fork: str, steps: list[tuple[int, int, int, int, int]]) -> None:
    rules = fork_named(fork)
    for (blobs, gas_used, base_fee, excess, blob_fee), after in pairwise(steps):
        assert blob_base_fee(excess, rules.blob_update_fraction) == blob_fee
        assert next_base_fee(base_fee, gas_used, 30_000_000) == after[2]
        assert next_excess_blob_gas(excess, blobs * GAS_PER_BLOB, base_fee, rules) == after[3]


def test_calldata_gas_of_eip7623() -> None:
    # go-ethereum, core/state_transition_test.go, TestFloorDataGas; ethereum-execution 2.20.0
    assert [floor_gas(0, 0), floor_gas(100, 0), floor_gas(0, 100), floor_gas(50, 50)] == [
        21_000,
        22_000,
        25_000,
        23_500,
    ]
    assert [intrinsic_gas(0, 68), intrinsic_gas(11, 89), intrinsic_gas(0, 20_000)] == [22_088, 22_468, 341_000]


def test_fastlz_lengths_of_the_op_stack() -> None:
    # op-geth, core/types/rollup_cost_test.go: an unsigned empty transaction; revm, fast_lz.rs; and one generated
    assert fastlz_length(bytes.fromhex("dd80808094095e7baea6a6c7c4c2dfeb977efac326af552d878080808080")) == 31
    assert fastlz_length(bytes.fromhex("facade")) == 4
    generated = (
        "ffffffffffffffffa9059cbbffffffffffffffff0000000000000000000000006b1af0c0cbd625000000000000000000"
        "0000007e33051eeef95affffffffffffffff008a9b0a6b5fc90000000000000000000000000000000000000000000000"
        "0000000000000000006affffffff"
    )
    assert fastlz_length(bytes.fromhex(generated)) == 62


@pytest.mark.parametrize(
    ("fork", "gas", "fee_wei"),
    [("bedrock", 1_618, 11_326_000_000_000), ("ecotone", 480, 960_900), ("fjord", 1_600, 3_203_000)],
)
def test_data_fees_of_the_op_stack(fork: str, gas: int, fee_wei: int) -> None:
    # op-geth, core/types/rollup_cost_test.go
    prices = L1FeeParameters(
        10**9, blob_base_fee_wei=10**7, base_fee_scalar=2, blob_base_fee_scalar=3, overhead=50, scalar=7_000_000
    )
    transaction = bytes.fromhex("dd80808094095e7baea6a6c7c4c2dfeb977efac326af552d878080808080")
    assert tuple(data_cost(transaction, op_fork_named(fork), prices)) == (gas, fee_wei)


def test_operator_fees_of_the_op_stack() -> None:
    # op-geth, core/types/rollup_cost_test.go
    assert operator_fee(1_000, op_fork_named("isthmus"), 1_000, 10) == 11
    assert operator_fee(1_000, op_fork_named("jovian"), 1_000, 10) == 100_000_010


def test_blobs_or_calldata_of_the_op_batcher() -> None:
    # Generated from the rule of optimism, op-batcher/batcher/channel_config_provider.go
    assert cheaper_medium(80_690_691, 1_000_000, 10, 3, 16) == "blob"
    assert cheaper_medium(97_670_618, 1_000_000_000, 131_083_279_682, 3, 40) == "calldata"


def test_a_secure_trie_of_ethereum_tests() -> None:
    # ethereum/tests, TrieTests/hex_encoded_securetrie_test.json, test3
    accounts = {
        "a94f5374fce5edbc8e2a8697c15331677e6ebf0b": (
            "f84c01880de0b6b3a7614bc3a056e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421a0c5d2"
            "460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
        ),
        "095e7baea6a6c7c4c2dfeb977efac326af552d87": (
            "f84880840132b3a0a065fee2fffd7a68488cf7ef79f35f7979133172ac5727b5e0cf322953d13de492a06e5d8fec8b6b"
            "9bf41c3fb9b61696d5c87b66f6daa98d5f02ba9361b0c6916467"
        ),
        "0000000000000000000000000000000000000001": (
            "f8448080a056e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421a0c5d2460186f7233c927e"
            "7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
        ),
        "2adc25665018aa1fe0e6bc666dac8fc2697ff9ba": (
            "f8478083012d9da056e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421a0c5d2460186f723"
            "3c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"
        ),
    }
    pairs = {bytes.fromhex(key): bytes.fromhex(value) for key, value in accounts.items()}
    root = patricia_root(pairs, secure=True)
    assert root.hex() == "40b37be88a49e2c08b8d33fcb03a0676ffd0481df54dfebd3512b8ec54f40cad"


def test_proofs_of_rfc6962() -> None:
    # transparency-dev/merkle, testdata/inclusion/2/happy-path.json and testdata/consistency/1/happy-path.json
    root = bytes.fromhex("5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328")
    leaf = bytes.fromhex("4271a26be0d8a84f0bd54c8c302e7cb3a3b5d1fa6780a40bcce2873477dab658")
    branch = [
        "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
        "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    ]
    assert rfc6962.verify_inclusion(root, leaf, 5, 8, [bytes.fromhex(node) for node in branch])
    assert not rfc6962.verify_inclusion(root, leaf, 4, 8, [bytes.fromhex(node) for node in branch])
    first = bytes.fromhex("6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d")
    growth = [
        "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7",
        "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e",
        "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    ]
    assert rfc6962.verify_consistency(1, 8, first, root, [bytes.fromhex(node) for node in growth])
    assert not rfc6962.verify_consistency(2, 8, first, root, [bytes.fromhex(node) for node in growth])


def test_an_aggregate_signature_of_two() -> None:
    # Generated with blspy 2.0.3, in agreement with py_ecc 8.0.0
    bls = pytest.importorskip("l2sim.crypto.signatures.bls", reason="the extra `bls` is not installed")
    public = [
        "834f28782299bf618ae7ce58c50203e6f377af87c72f25e4c9cd330ce6564b5baef8fd1f4c813602ad0148dacfddfa57",
        "a1273bce274631aed5ff8a1bc509d6ac41128818d58f8e00a6644b189bd072af22da7b8bc4181e027826959c8fa7b8e9",
    ]
    message = bytes.fromhex("c699100fec48d03857f434856edc6389b302395c7aacd44693679dc70abe332c")
    signature = bytes.fromhex(
        "b08e0c4dbb6e2caa962f8595e9a5d73fb5f36c2eb81cab61866b26a10a48a01b9941e53b63a9e9e4a2992195571d498e"
        "0c055dfad1c961056ef9c70665ff63755ef2382b5a0ea31808aff0be863612130aaf53c2ac811915dac36aa2a8ec5afe"
    )
    signers = [bytes.fromhex(key) for key in public]
    assert bls.fast_aggregate_verify(message, signature, signers)
    assert not bls.fast_aggregate_verify(message, signature, signers[:1])


def test_proofs_of_one_point_of_a_blob() -> None:
    # c-kzg-4844, tests/verify_kzg_proof: correct 2_0 and 4_4, incorrect 2_0, invalid y 0, invalid z 0, invalid proof 0
    pairing = pytest.importorskip("l2sim.crypto.kzg_pairing", reason="the extra `bls` is not installed")
    commitment = bytes.fromhex(
        "a421e229565952cfff4ef3517100a97da1d4fe57956fa50a442f92af03b1bf37adacc8ad4ed209b31287ea5bb94d9d06"
    )
    y = bytes.fromhex("50625ad853cc21ba40594f79591e5d35c445ecf9453014da6524c0cf6367c359")
    proof = bytes.fromhex(
        "b72d80393dc39beea3857cb3719277138876b2b207f1d5e54dd62a14e3242d123b5a6db066181ff01a51c26c9d2f400b"
    )
    wrong = bytes.fromhex(
        "90559bfd8e58f5d144588a1a959c93aba58607777e09893f088e404eb2dc47c0269ed8e47c1be79ea07ae726abd921a8"
    )
    modulus = bytes.fromhex("73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001")
    assert pairing.verify_point(commitment, bytes(32), y, proof)
    assert not pairing.verify_point(commitment, bytes(32), y, wrong)
    assert pairing.verify_point(
        bytes.fromhex(
            "8f59a8d2a1a625a17f3fea0fe5eb8c896db3764f3185481bc22f91b4aaffcca25f26936857bc3a7c2539ea8ec3a952b7"
        ),
        bytes.fromhex("73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000000"),
        bytes.fromhex("1522a4a7f34e1ea350ae07c29c96c7e79655aa926122e95fe69fcbd932ca49e9"),
        bytes.fromhex(
            "a62ad71d14c5719385c0686f1871430475bf3a00f0aa3f7b8dd99a9abc2160744faf0070725e00b60ad9a026a15b1a8c"
        ),
    )
    with pytest.raises(ValueError, match="y: must hold a field element"):
        pairing.verify_point(commitment, bytes(32), modulus, proof)
    with pytest.raises(ValueError, match="z: must hold a field element"):
        pairing.verify_point(commitment, modulus, y, proof)
    with pytest.raises(ValueError, match="proof: must be exactly 48 bytes"):
        pairing.verify_point(commitment, bytes(32), y, proof[:47])


def test_bonds_of_the_op_dispute_game() -> None:
    # ethereum-optimism/specs, bond-incentives.md: 0.08 ether at the root, 60 at depth 73
    assert [bond_wei(depth) / 1e18 for depth in (0, 30, 73)] == pytest.approx(
        [0.08, 1.215292008613859, 60.01971301154602], rel=1e-9
    )


@pytest.mark.parametrize(
    ("fees_wei", "poster_wei", "reward_wei", "held_wei"), [(23_400, 3_000, 780, 19_620), (93, 0, 93, 0)]
)
def test_how_arbos_splits_its_l1_fees(fees_wei: int, poster_wei: int, reward_wei: int, held_wei: int) -> None:
    # OffchainLabs/nitro, arbos/l1pricing_test.go: 234 units at a reward of 10, a third of them in this report
    fund = L1Pricing(
        price_per_unit_wei=0, per_unit_reward_wei=10, units_since_update=234, l1_fees_available_wei=fees_wei
    )
    payout = fund.report(Report(1, 3, 3_000, 10 * 10**9))
    assert (payout.poster_wei, payout.reward_wei, fund.l1_fees_available_wei) == (poster_wei, reward_wei, held_wei)
    assert fund.units_since_update == 156


def test_public_data_of_zksync_lite() -> None:
    # matter-labs/zksync, docs/protocol.md and core/lib/types/src/gas_counter.rs
    assert chunks.CHUNK_BYTES == 10
    assert (chunks.NAMED["transfer"].chunks, chunks.NAMED["transfer"].commit_gas) == (2, 300)
    assert (chunks.NAMED["deposit"].chunks, chunks.NAMED["deposit"].significant) == (6, 45)
    assert (chunks.NAMED["full_exit"].chunks, chunks.NAMED["full_exit"].commit_gas) == (11, 10_000)
