"""Scripts: the opcodes in use here, pushes, and the standard output scripts (BIP 141, BIP 341, BIP 433)."""

from hashlib import sha256

from l2sim.crypto.bitcoin.hashes import hash160

__all__ = [
    "P2A",
    "dust_limit_sat",
    "multisig_2_of_2",
    "p2pkh",
    "p2pkh_code",
    "p2tr",
    "p2wpkh",
    "p2wsh",
    "push",
    "push_number",
]

# Opcodes, Bitcoin Core script/script.h.
OP_0 = b"\x00"
OP_1 = b"\x51"
OP_2 = b"\x52"
OP_16 = b"\x60"
OP_IF = b"\x63"
OP_NOTIF = b"\x64"
OP_ELSE = b"\x67"
OP_ENDIF = b"\x68"
OP_RETURN = b"\x6a"
OP_IFDUP = b"\x73"
OP_DROP = b"\x75"
OP_DUP = b"\x76"
OP_SWAP = b"\x7c"
OP_SIZE = b"\x82"
OP_EQUAL = b"\x87"
OP_EQUALVERIFY = b"\x88"
OP_HASH160 = b"\xa9"
OP_CHECKSIG = b"\xac"
OP_CHECKSIGVERIFY = b"\xad"
OP_CHECKMULTISIG = b"\xae"
OP_CHECKLOCKTIMEVERIFY = b"\xb1"
OP_CHECKSEQUENCEVERIFY = b"\xb2"

P2A = OP_1 + b"\x02\x4e\x73"
"""The pay-to-anchor output script, which anyone may spend without a witness (BIP 433)."""

DUST_RATE_SAT_PER_KVBYTE = 3000  # DUST_RELAY_TX_FEE, Bitcoin Core policy/policy.h


def push(data: bytes) -> bytes:
    """Return the script that puts `data` on the stack, in its shortest form; at most 520 bytes (BIP 62)."""
    length = len(data)
    if length > 520:
        raise ValueError(f"data: must be at most 520 bytes (got {length})")
    if length <= 75:
        return bytes((length,)) + data
    if length <= 255:
        return b"\x4c" + bytes((length,)) + data
    return b"\x4d" + length.to_bytes(2, "little") + data


def push_number(value: int) -> bytes:
    """Return the script that puts a number from 0 on the stack, in its shortest form.

    >>> push_number(16).hex(), push_number(144).hex(), push_number(500).hex()
    ('60', '029000', '02f401')
    """
    if value < 0:
        raise ValueError(f"value: must be at least 0 (got {value})")
    if value == 0:
        return OP_0
    if value <= 16:
        return bytes((0x50 + value,))
    # A script number is little-endian with the sign in its top bit, so 128 takes two bytes.
    length = value.bit_length() // 8 + 1
    return bytes((length,)) + value.to_bytes(length, "little")


def p2pkh(key_hash: bytes) -> bytes:
    """Return the output script that pays a 20-byte hash of a key, before segwit."""
    return OP_DUP + OP_HASH160 + push(key_hash) + OP_EQUALVERIFY + OP_CHECKSIG


def p2pkh_code(public_key: bytes) -> bytes:
    """Return the script that a P2WPKH input signs in place of its output script (BIP 143)."""
    return p2pkh(hash160(public_key))


def p2wpkh(public_key: bytes) -> bytes:
    """Return the version-0 output script (22 bytes) that pays a 33-byte public key."""
    return b"\x00\x14" + hash160(public_key)


def p2wsh(witness_script: bytes) -> bytes:
    """Return the version-0 output script (34 bytes) that pays to a script."""
    return b"\x00\x20" + sha256(witness_script).digest()


def p2tr(output_key: bytes) -> bytes:
    """Return the version-1 output script (34 bytes) that pays a 32-byte x-only output key (BIP 341)."""
    return b"\x51\x20" + output_key


def multisig_2_of_2(first: bytes, second: bytes) -> bytes:
    """Return the script that asks for both keys' signatures, the keys in the order of their bytes (BOLT 3)."""
    low, high = (first, second) if first < second else (second, first)
    return OP_2 + push(low) + push(high) + OP_2 + OP_CHECKMULTISIG


def dust_limit_sat(script: bytes) -> int:
    """Return the least amount that nodes relay for an output script (BOLT 3, Dust Limits).

    The output's size plus that of an input spending it, at 3000 sat per 1000 vbytes; an input counts as 67 vbytes
    for a witness program and 148 otherwise.

    >>> dust_limit_sat(p2wsh(b"")), dust_limit_sat(P2A)
    (330, 240)
    """
    if script[:1] == OP_RETURN:
        return 0
    output_bytes = 8 + 1 + len(script)
    return (output_bytes + (67 if _is_witness_program(script) else 148)) * DUST_RATE_SAT_PER_KVBYTE // 1000


def _is_witness_program(script: bytes) -> bool:
    return 4 <= len(script) <= 42 and (script[0] == 0 or 0x51 <= script[0] <= 0x60) and script[1] == len(script) - 2
