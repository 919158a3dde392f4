"""The point evaluation of EIP-4844 as two pairings: the readable twin of `KzgSetup.verify_point`.

Whoever only checks proofs needs one point of the trusted setup, so this needs no setup file. Needs the extra `bls`
(py-arkworks-bls12381).
"""

from l2sim.crypto.kzg import COMMITMENT_BYTES, FIELD_ELEMENT_BYTES
from l2sim.crypto.signatures._secp256k1 import check_bytes
from l2sim.crypto.signatures.bls import ORDER  # first, since it says what to install where the extra is missing

from py_arkworks_bls12381 import GT, G1Point, G2Point, Scalar  # isort: skip

__all__ = ["verify_point"]

TAU_G2 = bytes.fromhex(
    "b5bfd7dd8cdeb128843bc287230af38926187075cbfbefa81009a2ce615ac53d2914e5870cb452d2afaaab24f3499f72"
    "185cbfee53492714734429b7b38608e23926c911cceceac9a36851477ba4c60b087041de621000edc98edada20c1def2"
)
"""The generator of G2 times the setup's secret: KZG_SETUP_G2_MONOMIAL[1] of Ethereum's ceremony
(consensus-specs, presets/mainnet/trusted_setups/trusted_setup_4096.json)."""


def verify_point(commitment: bytes, z: bytes, y: bytes, proof: bytes) -> bool:
    """Return whether the committed polynomial p is y at z: whether e(C - yG1, G2) = e(proof, (tau - z)G2).

    Both sides stand for p(tau) - y, the right one as its quotient by tau - z times tau - z (consensus-specs, deneb,
    polynomial-commitments.md, verify_kzg_proof_impl). `commitment` and `proof` are compressed points of 48 bytes,
    `z` and `y` field elements of 32 bytes, big-endian. Raises ValueError for other lengths, for field elements
    from the modulus on, and for points off the curve or outside its subgroup.

    >>> infinity = b"\\xc0" + bytes(47)  # commits to the polynomial 0, and proves it everywhere
    >>> verify_point(infinity, bytes(32), bytes(32), infinity)
    True
    >>> verify_point(infinity, bytes(32), bytes(31) + b"\\x01", infinity)
    False
    """
    committed, shown = _point("commitment", commitment), _point("proof", proof)
    at, value = _field_element("z", z), _field_element("y", y)
    remainder = committed - G1Point() * value
    divisor = G2Point.from_compressed_bytes(TAU_G2) - G2Point() * at
    return bool(GT.pairing_check([remainder, -shown], [G2Point(), divisor]))


def _field_element(name: str, value: bytes) -> Scalar:
    check_bytes(name, value, FIELD_ELEMENT_BYTES)
    if int.from_bytes(value, "big") >= ORDER:
        raise ValueError(f"{name}: must hold a field element, below the modulus of BLS12-381 (got {value.hex()})")
    return Scalar.from_be_bytes(value)


def _point(name: str, value: bytes) -> G1Point:
    check_bytes(name, value, COMMITMENT_BYTES)
    try:
        point = G1Point.from_compressed_bytes(value)
    except ValueError as error:
        raise ValueError(f"{name}: must hold a point of G1's subgroup (got {value.hex()})") from error
    if bytes(point.to_compressed_bytes()) != value:  # the library takes any tail behind the flag of infinity
        raise ValueError(f"{name}: must hold a point of G1 in its one encoding (got {value.hex()})")
    return point
