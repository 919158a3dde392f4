"""RLP and type-2 transactions against published encodings."""

import pytest

from l2sim.crypto.ethereum.rlp import Item, decode, encode
from l2sim.crypto.ethereum.transactions import FeeMarketTransaction, parse_signed
from l2sim.crypto.hashing.reference import keccak256
from l2sim.crypto.signatures import ecdsa
from l2sim.crypto.signatures.keys import ethereum_address, public_key

# ethereum.org, "Recursive-length prefix serialization", Examples.
RLP = [
    (b"dog", "83646f67"),
    ([b"cat", b"dog"], "c88363617483646f67"),
    (b"", "80"),
    ([], "c0"),
    (0, "80"),
    (b"\x00", "00"),
    (15, "0f"),
    (1024, "820400"),
    ([[], [[]], [[], [[]]]], "c7c0c1c0c3c0c1c0"),
    (
        b"Lorem ipsum dolor sit amet, consectetur adipisicing elit",
        "b838" + b"Lorem ipsum dolor sit amet, consectetur adipisicing elit".hex(),
    ),
]

# The first account of Ethereum's usual test mnemonic "test test ... junk", signed by viem; its documentation prints
# these bytes (viem.sh, signTransaction): a creation with nonce 785 and no fees.
VIEM_RAW = bytes.fromhex(
    "02f850018203118080825208808080c080a04012522854168b27e5dc3d5839bab5e6b39e1a0ffd343901ce1622e3d64b48f1a04e00902ae0502c47"
    "28cbf12156290df99c3ed7de85b1dbfe20b5c36931733a33"
)
VIEM_SECRET = bytes.fromhex("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80")
VIEM_SENDER = "f39fd6e51aad88f6f4ce6ab8827279cfffb92266"

# A transfer of 1 ether signed by viem 2.39.0 with the secret aa..aa.
VIEM_TRANSFER_RAW = bytes.fromhex(
    "02f8720180843b9aca00843b9aca008252089470997970c51812dc3a010c7d01b50e0d17dc79c8880de0b6b3a764000080c080a0182c8cbe9c63b8"
    "447c2f953085570b33023f5eef5f11ea48cb919909b619095ea040c65acd60b3c054ac73d5314a4befdc7a64bae3c7819e3079c6237ef5951f2e"
)
VIEM_TRANSFER_HASH = "b97fef798c937bdfdd97763637a3c846a0e2054db0d31d792d6f1327c386a41e"

# A transfer to itself by the first account of the mnemonic "abandon ... about", signed by ethers.
ETHERS_ADDRESS = bytes.fromhex("9858effd232b4033e47d90003d41ec34ecaeda94")
ETHERS_DIGEST = "5798cced33015601eb042779e743a48d557048a70e41f998dadff5489712a67d"
ETHERS_SIGNATURE = bytes.fromhex(
    "65a1f4ea4978d065bfbe115b7b3511b6e5c072cc380b3d03bb9ac815e158a731404f421ac43e0111550184e5288091598607c792306352cea3938689"
    "deb0378500"
)
ETHERS_RAW = (
    "02f8720180843b9aca008504a817c800825208949858effd232b4033e47d90003d41ec34ecaeda9487038d7ea4c6800080c080a065a1f4ea4978d065"
    "bfbe115b7b3511b6e5c072cc380b3d03bb9ac815e158a731a0404f421ac43e0111550184e5288091598607c792306352cea3938689deb03785"
)
ETHERS_HASH = "2ddd87964b8474515d3e707e1479dcd0e1f5286575a822eb16de7b9c1ef41584"


@pytest.mark.parametrize(("item", "encoded"), RLP)
def test_published_rlp(item: Item, encoded: str) -> None:
    assert encode(item).hex() == encoded
    if not isinstance(item, int):
        assert decode(bytes.fromhex(encoded)) == item


def test_the_legacy_transaction_of_eip155() -> None:
    # EIP-155, "Example": nonce 9, 20 gwei, 21 000 gas, 1 ether to 35..35, chain 1, secret 46..46.
    fields: list[int | bytes] = [9, 20 * 10**9, 21_000, bytes([0x35]) * 20, 10**18, b""]
    unsigned = encode([*fields, 1, 0, 0])
    assert unsigned.hex() == (
        "ec098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a764000080018080"
    )
    digest = keccak256(unsigned)
    assert digest.hex() == "daf5a779ae972f972197303d7b574746c7ef83eadac0f2791ad23db92e4c8e53"
    signature = ecdsa.sign_recoverable(digest, bytes([0x46]) * 32)
    r, s, v = int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:64], "big"), 37 + signature[64]
    assert encode([*fields, v, r, s]).hex() == (
        "f86c098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a76400008025a028ef61340bd939bc2195fe53"
        "7567866003e1a15d3c71ff63e1590620aa636276a067cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83"
    )


def test_a_transfer_signed_by_ethers() -> None:
    transfer = FeeMarketTransaction(
        chain_id=1, nonce=0, to=ETHERS_ADDRESS, value_wei=10**15, max_priority_fee_wei=10**9, max_fee_wei=20 * 10**9
    )
    assert transfer.signing_digest().hex() == ETHERS_DIGEST
    assert transfer.sender(ETHERS_SIGNATURE) == ETHERS_ADDRESS
    assert transfer.signed_bytes(ETHERS_SIGNATURE).hex() == ETHERS_RAW
    assert transfer.transaction_hash(ETHERS_SIGNATURE).hex() == ETHERS_HASH


def test_transactions_signed_by_viem() -> None:
    transfer, signature = parse_signed(VIEM_TRANSFER_RAW)
    assert (transfer.value_wei, transfer.gas_limit, transfer.chain_id) == (10**18, 21_000, 1)
    assert transfer.sign(bytes([0xAA]) * 32) == signature
    assert transfer.transaction_hash(signature).hex() == VIEM_TRANSFER_HASH
    creation, signature = parse_signed(VIEM_RAW)
    assert creation.nonce == 785
    assert creation.to == b""
    assert creation.sign(VIEM_SECRET) == signature
    assert creation.signed_bytes(signature) == VIEM_RAW
    assert creation.sender(signature).hex() == VIEM_SENDER
    assert ethereum_address(public_key(VIEM_SECRET)).hex() == VIEM_SENDER


def test_data_is_carried() -> None:
    call = FeeMarketTransaction(10, 1, bytes(20), 0, 1, 2, gas_limit=50_000, data=bytes(range(200)))
    assert parse_signed(call.signed_bytes(call.sign(VIEM_SECRET)))[0] == call


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        ("", "must start"),
        ("83646f", "must end by"),
        ("8100", "must stand for itself"),
        ("b800", "shortest form"),
        ("b90038" + "00" * 56, "shortest form"),
        ("b8", "shortest form"),
        ("c88363617483646f", "must end by"),
        ("80" * 2, "must end after"),
        ("c183646f67", "must end by"),
        ("bfffffffffffffffff", "must end by"),
    ],
)
def test_malformed_rlp_is_refused(data: str, rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        decode(bytes.fromhex(data))


def test_lists_nested_too_deep_are_refused() -> None:
    nested: Item = []
    for _ in range(199):
        nested = [nested]
    assert encode(decode(encode(nested))) == encode(nested)
    with pytest.raises(ValueError, match="at most 200 deep"):
        decode(encode([[[nested]]]))


def test_what_is_refused() -> None:
    transfer, signature = parse_signed(VIEM_TRANSFER_RAW)
    with pytest.raises(ValueError, match=r"to: must be 20 bytes"):
        FeeMarketTransaction(1, 0, bytes(19), 0, 0, 0)
    with pytest.raises(ValueError, match="at least 0"):
        FeeMarketTransaction(1, -1, bytes(20), 0, 0, 0)
    with pytest.raises(ValueError, match="recovery id of 0 or 1"):
        transfer.signed_bytes(signature[:64] + b"\x1b")
    with pytest.raises(ValueError, match="type byte 02"):
        parse_signed(VIEM_TRANSFER_RAW[1:])
    with pytest.raises(ValueError, match="12 fields"):
        parse_signed(b"\x02" + encode([b""] * 11))
    with pytest.raises(ValueError, match="only the access list"):
        parse_signed(b"\x02" + encode([[], *[b""] * 7, [], b"", b"", b""]))
    with pytest.raises(ValueError, match="leading zeros"):
        parse_signed(b"\x02" + encode([b"\x00", *[b""] * 7, [], b"", b"", b""]))
    with pytest.raises(ValueError, match="at least 0"):
        encode(-1)
    with pytest.raises(TypeError, match="got str"):
        encode("text")  # type: ignore[arg-type]  # what the test is about
    high_s = ecdsa.Rule.PLAIN, signature[:32] + bytes([0xFF]) * 32 + b"\x00"
    with pytest.raises(ValueError, match="signature"):
        transfer.sender(high_s[1])
