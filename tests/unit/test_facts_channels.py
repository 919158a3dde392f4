"""A few values of each published file about channels and signatures, with their source, for a copy of l2sim alone.

The files themselves are read by the tests that `docs/vectors.md` names; what is here needs nothing but the project.
"""

import hashlib

import pytest

from l2sim.crypto.bitcoin.channel_type import ChannelType, commitment_weight_wu, htlc_weight_wu
from l2sim.crypto.bitcoin.funding import multisig_2_of_2
from l2sim.crypto.bitcoin.shachain import SecretStore, per_commitment_secret
from l2sim.crypto.bitcoin.transaction import Transaction, display_id
from l2sim.crypto.onion.failures import FailureCode
from l2sim.crypto.signatures import ecdsa, keys
from l2sim.crypto.signatures.ecdsa import Rule
from l2sim.crypto.signatures.musig2 import AggregateKey, ContributionError, Session, aggregate_nonces
from l2sim.crypto.trees import bitcoin_merkle

# bips, bip-0327/vectors/nonce_agg_vectors.json: the first two public nonces, their sum, and one with a wrong tag.
NONCES = [
    (
        "020151c80f435648df67a22b749cd798ce54e0321d034b92b709b567d60a42e66603ba47fbc1834437b3212e89a84d84"
        "25e7bf12e0245d98262268ebdcb385d50641"
    ),
    (
        "03ff406ffd8adb9cd29877e4985014f66a59f6cd01c0e88caa8e5f3166b1f676a60248c264cdd57d3c24d79990b0f865"
        "674eb62a0f9018277a95011b41bfc193b833"
    ),
]
NONCE_SUM = (
    "035fe1873b4f2967f52fea4a06ad5a8eccbe9d0fd73068012c894e2e87ccb5804b024725377345bde0e9c33af3c43c0a"
    "29a9249f2f2956fa8cfeb55c8573d0262dc8"
)


def test_public_nonces_of_bip327_add_up() -> None:
    first, second = (bytes.fromhex(nonce) for nonce in NONCES)
    assert aggregate_nonces([first, second]).hex() == NONCE_SUM
    with pytest.raises(ContributionError) as raised:
        aggregate_nonces([first, b"\x04" + second[1:]])
    assert (raised.value.signer, raised.value.contribution) == (1, "pubnonce")


def test_a_partial_signature_of_bip327_holds() -> None:
    # bips, bip-0327/vectors/sign_verify_vectors.json, first valid case: three signers, the first one's signature.
    public = [
        "03935f972da013f80ae011890fa89b67a27b7be6ccb24d3274d18b2d4067f261a9",
        "02f9308a019258c31049344f85f89d5229b531c845836f99b08601f113bce036f9",
        "02dff1d77f2a671c5f36183726db2341be58feae1da2deced843240f7b502ba661",
    ]
    nonces = [
        (
            "0337c87821afd50a8644d820a8f3e02e499c931865c2360fb43d0a0d20dafe07ea0287bf891d2a6deaebadc909352aa9"
            "405d1428c15f4b75f04dae642a95c2548480"
        ),
        (
            "0279be667ef9dcbbac55a06295ce870b07029bfcdb2dce28d959f2815b16f817980279be667ef9dcbbac55a06295ce87"
            "0b07029bfcdb2dce28d959f2815b16f81798"
        ),
        (
            "032de2662628c90b03f5e720284eb52ff7d71f4284f627b68a853d78c78e1ffe9303e4c5524e83ffe1493b9077cf1ca6"
            "beb2090c93d930321071ad40b2f44e599046"
        ),
    ]
    message = bytes.fromhex("f95466d086770e689964664219266fe5ed215c92ae20bab5c9d79addddf3c0cf")
    partial = bytes.fromhex("012abbcb52b3016ac03ad82395a1a415c48b93def78718e62a7a90052fe224fb")
    group = AggregateKey([bytes.fromhex(key) for key in public])
    own = [bytes.fromhex(nonce) for nonce in nonces]
    session = Session(group, aggregate_nonces(own), message)
    assert session.verify(partial, own[0], 0)
    assert not session.verify(partial, own[1], 1)
    assert not session.verify(bytes(31) + b"\x01", own[0], 0)


def test_the_block_of_bip37_holds_its_transaction() -> None:
    # btcd, btcutil/bloom/merkleblock_test.go: a block of one transaction, as a `merkleblock` message.
    header = bytes.fromhex(
        "0100000079cda856b143d9db2c1caff01d1aecc8630d30625d10e8b4b8b0000000000000b50cc069d6a3e33e3ff84a5c"
        "41d9d3febe7c770fdcc96b2c3ff60abe184f196367291b4d4c86041b8fa45d63"
    )
    txid = bytes.fromhex("63194f18be0af63f2c6bc9dc0f777cbefed3d9415c4af83f3ee3a3d669c00cb5")[::-1]
    tree = bitcoin_merkle.PartialMerkleTree(1, (txid,), (True, *[False] * 7))
    assert bitcoin_merkle.extract_matches(tree) == (header[36:68], [(0, txid)])


def test_a_mainnet_block_of_230_transactions_holds_its_first() -> None:
    # Block 00000000000000000021868c2cefc52a480d173c849412fe81c4e5ab806f94ab: its coinbase, the branch
    # above it (made from the ids in btcd, wire/testdata), the root in its header; its witness root and commitment.
    node = bytes.fromhex("5301a7831d21d8395e511ba4786ddcd71b630148bd6bb902f4b1c71b7df563ed")[::-1]
    branch = [
        "e5976399fa0eaf6ca8e75fafed0ed991b788b0a7f091eeeef57d3bffdaf58606",
        "154af9121a3126dcc45a4b1e0fc11b0ace780b016dcb9ba55d9a6a60ba15353c",
        "6ffd8ba356efc66a431fa01084728a37911cb295535208429ff4dcb109c05d2e",
        "e8759477a555ba80193f8c38668cf3026aa84c70967dbcfac7e80ac46d1763ab",
        "87ced4711f04e46b4e32cf7cbb414773dcbba2d51e76e17fb98289a8127a3d8f",
        "beec0ca73021092632c1fa2438d965f5408cd45d8a249cc1c16c34ab02f10a10",
        "22672d82da0215c345042a4c70ac9f541dddd2c06c9a37372b2b4d19dfbaf63d",
        "7284cd177ae2b4e41956a535f3c23300f03ab1466057c432e0ba567208a8d7f8",
    ]
    for other in branch:
        node = bitcoin_merkle.merkle_root([node, bytes.fromhex(other)])
    header = bytes.fromhex(
        "00000020a1d2b3b757ad55fa1c670f9f59372a2a26f1a85197711e00000000000000000070be58da7ef0a754ef594791"
        "0fa1bb0c19160d641cf212ae46ba53e0327233bc2367905b2dd729174c3ae2db"
    )
    assert node == header[36:68]
    witness_root = bytes.fromhex("818d1b34dbb12b2ea9c8065d45992d052c60f51b944926fe7e2e12813d299666")[::-1]
    commitment = bitcoin_merkle.merkle_root([witness_root, bytes(32)])  # BIP 141: over the root and a reserved value
    assert commitment.hex() == "7c6e421f55cf406e383b46d829600dee545f127de76bb3ec4dc8fea7ea96d709"


def test_the_funding_script_and_id_of_bolt3() -> None:
    # BOLT 3, Appendix B.
    local, remote = (
        bytes.fromhex("023da092f6980e58d2c037173180e9a465476026ee50f96695963e8efe436f54eb"),
        bytes.fromhex("030e9f7b623d2ccc7c9bd44d66d5ce21ce504c0acf6385a132cec6d3c39fa711c1"),
    )
    assert multisig_2_of_2(remote, local).hex() == (
        "5221023da092f6980e58d2c037173180e9a465476026ee50f96695963e8efe436f54eb21030e9f7b623d2ccc7c9bd44d"
        "66d5ce21ce504c0acf6385a132cec6d3c39fa711c152ae"
    )
    coinbase = (
        "01000000010000000000000000000000000000000000000000000000000000000000000000ffffffff03510101ffffff"
        "ff0100f2052a010000001976a9143ca33c2e4446f4a305f23c80df8ad1afdcf652f988ac00000000"
    )
    funding = (
        "0200000001adbb20ea41a8423ea937e76e8151636bf6093b70eaff942930d20576600521fd000000006b483045022100"
        "90587b6201e166ad6af0227d3036a9454223d49a1f11839c1a362184340ef0240220577f7cd5cca78719405cbf1de741"
        "4ac027f0239ef6e214c90fcaab0454d84b3b012103535b32d5eb0a6ed0982a0479bbadc9868d9836f6ba94dd5a63be16"
        "d875069184ffffffff028096980000000000220020c015c4a6be010e21657068fc2e6a9d02b27ebe4d490a25846f7237"
        "f104d1a3cd20256d29010000001600143ca33c2e4446f4a305f23c80df8ad1afdcf652f900000000"
    )
    spent = Transaction.parse(bytes.fromhex(funding))
    assert spent.inputs[0].outpoint.txid == Transaction.parse(bytes.fromhex(coinbase)).txid
    assert display_id(spent.txid) == "8984484a580b825b9972d7adb15050b3ab624ccd731946b3eeddb92f4e7ef6be"


def test_secrets_and_their_store_of_bolt3() -> None:
    # BOLT 3, Appendix D: "0 final node", "FF final node", "01 last nontrivial node"; then "insert_secret #1 incorrect".
    cases = [
        (0, 281474976710655, "02a40c85b6f28da08dfdbe0926c53fab2de6d28c10301f8f7c4073d5e42e3148"),
        (255, 281474976710655, "7cc854b54e3e0dcdb010d7a3fee464a9687be6e8db3be6854c475621e007a5dc"),
        (1, 1, "915c75942a26bb3a433a8ce2cb0427c29ec6c1775cfc78328b57f6ba7bfeaa9c"),
    ]
    for byte, index, secret in cases:
        assert per_commitment_secret(bytes([byte]) * 32, index).hex() == secret
    store = SecretStore()
    store.insert(281474976710655, bytes.fromhex("02a40c85b6f28da08dfdbe0926c53fab2de6d28c10301f8f7c4073d5e42e3148"))
    with pytest.raises(ValueError, match="must lead to the secret of index"):
        store.insert(281474976710654, bytes.fromhex("c7518c8ae4660ed02894df8976fa1a3659c1a8b4b5bec0c4b872abeba4cb8964"))


@pytest.mark.parametrize(
    ("channel_type", "empty", "timeout", "success"),
    [(ChannelType.LEGACY, 724, 663, 703), (ChannelType.ANCHORS, 1_124, 666, 706)],
)
def test_weights_of_bolt3(channel_type: ChannelType, empty: int, timeout: int, success: int) -> None:
    # BOLT 3, Appendix A: a commitment weighs this and 172 an HTLC.
    assert [commitment_weight_wu(channel_type, n) for n in (0, 7)] == [empty, empty + 7 * 172]
    assert htlc_weight_wu(channel_type, offered=True) == timeout
    assert htlc_weight_wu(channel_type, offered=False) == success


@pytest.mark.parametrize(
    ("name", "code"),
    [  # BOLT 4, "Failure Messages"
        ("TEMPORARY_NODE_FAILURE", 8194),
        ("INVALID_ONION_HMAC", 49157),
        ("TEMPORARY_CHANNEL_FAILURE", 4103),
        ("FEE_INSUFFICIENT", 4108),
        ("INCORRECT_OR_UNKNOWN_PAYMENT_DETAILS", 16399),
        ("MPP_TIMEOUT", 23),
    ],
)
def test_failure_codes_of_bolt4(name: str, code: int) -> None:
    assert FailureCode[name] == code


@pytest.mark.parametrize(
    ("message", "secret", "nonce"),
    [  # noble-curves, test/vectors/secp256k1/rfc6979.json (MIT): the first nonce
        (
            "test data",
            "fee0a1f7afebf9d2a5a80c0c98a31c709681cce195cbcd06342b517970c0be1e",
            "fcce1de7a9bcd6b2d3defade6afa1913fb9229e3b7ddf4749b55c4848b2a196e",
        ),
        (
            "Satoshi Nakamoto",
            "0000000000000000000000000000000000000000000000000000000000000002",
            "d3edc1b8224e953f6ee05c8bbf7ae228f461030e47caf97cde91430b4607405e",
        ),
    ],
)
def test_nonces_of_rfc6979(message: str, secret: str, nonce: str) -> None:
    signature = ecdsa.sign(hashlib.sha256(message.encode()).digest(), bytes.fromhex(secret))
    assert signature[:32] == keys.public_key(bytes.fromhex(nonce))[1:]  # r is the nonce's point, whose x is below n


def test_a_shared_secret_of_wycheproof() -> None:
    # Wycheproof, ecdh_secp256k1_test.json, case 1; the point compressed.
    point = bytes.fromhex("02d8096af8a11e0b80037e1ee68246b5dcbb0aeb1cf1244fd767db80f3fa27da2b")
    secret = bytes.fromhex("f4b7ff7cccc98813a69fae3df222bfe3f4e28f764bf91b4a10d8096ce446b254")
    assert keys.multiply_point(point, secret)[1:].hex() == (
        "544dfae22af6af939042b1d85b71a1e49e9a5614123c4d6ad0c8af65baf87d65"
    )


def test_signatures_of_wycheproof() -> None:
    # Wycheproof, ecdsa_secp256k1_sha256_p1363_test.json, cases 1 and 11; ..._bitcoin_test.json, case 291.
    key = bytes.fromhex("03b838ff44e5bc177bf21189d0766082fc9d843226887fc9760371100b7ee20a6f")
    digest = hashlib.sha256(b"123400").digest()
    high = bytes.fromhex(
        "813ef79ccefa9a56f7ba805f0e478584fe5f0dd5f567bc09b5123ccbc9832365"
        "900e75ad233fcc908509dbff5922647db37c21f4afd3203ae8dc4ae7794b0f87"
    )
    assert ecdsa.verify(digest, high, key, rule=Rule.PLAIN)
    assert not ecdsa.verify(digest, high, key, rule=Rule.BITCOIN)
    assert not ecdsa.verify(digest, bytes(64), key, rule=Rule.PLAIN)
    der = bytes.fromhex(
        "3045022100dd1b7d09a7bd8218961034a39a87fecf5314f00c4d25eb58a07ac85e85eab516022035138c401ef8d3493d"
        "65c9002fe62b43aee568731b744548358996d9cc427e06"
    )
    assert ecdsa.verify_der(hashlib.sha256(bytes.fromhex("3235353835")).digest(), der, key)
