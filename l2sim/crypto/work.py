"""Counts of the cryptographic operations that a system performs.

A payment system adds to a `Work` as it signs, verifies and hashes (or as it would, where the scenario models
its cryptography); a cost profile (`l2sim.crypto.profiles`) turns the counts into nanoseconds of one core.
"""

from dataclasses import dataclass

SHA256_BLOCK_BYTES = 64
"""Bytes taken in by one SHA-256 compression call (FIPS 180-4, section 5.2.1)."""

SHA256_PADDING_BYTES = 9
"""Least padding of a SHA-256 message: the byte 0x80 and a 64-bit length (FIPS 180-4, section 5.1.1)."""

KECCAK_RATE_BYTES = 136
"""Bytes taken in by one Keccak-256 permutation: (1600 - 2 * 256) / 8 (Keccak reference 3.0, section 1.2)."""


def sha256_blocks(length: int) -> int:
    """Return the number of compression calls that SHA-256 makes for one message of `length` bytes.

    >>> sha256_blocks(55), sha256_blocks(56), sha256_blocks(64)
    (1, 2, 2)
    """
    return (length + SHA256_PADDING_BYTES + SHA256_BLOCK_BYTES - 1) // SHA256_BLOCK_BYTES


def keccak_blocks(length: int) -> int:
    """Return the number of permutation calls that Keccak-256 makes for one message of `length` bytes.

    >>> keccak_blocks(135), keccak_blocks(136)
    (1, 2)
    """
    return length // KECCAK_RATE_BYTES + 1


@dataclass(slots=True)
class Work:
    """How many operations of each kind were done; all fields are whole counts and start at zero.

    `point_multiplications` counts multiplications of a secp256k1 point by a scalar outside the signature
    operations (key derivation, Diffie-Hellman). `sha256_blocks` counts 64-byte compression calls,
    `keccak_blocks` 136-byte permutation calls, `hashes` finished digests of either kind. `onion_builds` counts
    whole packets, `onion_peels` one hop's processing of a packet. `bls_verifies` counts checks of one signature or
    aggregate over one message, `bls_points` further keys or signatures that were decoded and added for one,
    `bls_pairs` the messages of aggregates over several, each with a key of its own.

    >>> work = Work(ecdsa_signs=2)
    >>> work.count_sha256(messages=10, length=64)
    >>> work.signatures_made, work.sha256_blocks, work.hashes
    (2, 20, 10)
    """

    ecdsa_signs: int = 0
    ecdsa_verifies: int = 0
    schnorr_signs: int = 0
    schnorr_verifies: int = 0
    ecdsa_recovers: int = 0
    point_multiplications: int = 0
    sha256_blocks: int = 0
    keccak_blocks: int = 0
    onion_builds: int = 0
    onion_peels: int = 0
    blob_commitments: int = 0
    bls_signs: int = 0
    bls_verifies: int = 0
    bls_points: int = 0
    bls_pairs: int = 0
    hashes: int = 0

    def add(self, other: "Work") -> None:
        """Add the counts of `other` to these."""
        self.ecdsa_signs += other.ecdsa_signs
        self.ecdsa_verifies += other.ecdsa_verifies
        self.schnorr_signs += other.schnorr_signs
        self.schnorr_verifies += other.schnorr_verifies
        self.ecdsa_recovers += other.ecdsa_recovers
        self.point_multiplications += other.point_multiplications
        self.sha256_blocks += other.sha256_blocks
        self.keccak_blocks += other.keccak_blocks
        self.onion_builds += other.onion_builds
        self.onion_peels += other.onion_peels
        self.blob_commitments += other.blob_commitments
        self.bls_signs += other.bls_signs
        self.bls_verifies += other.bls_verifies
        self.bls_points += other.bls_points
        self.bls_pairs += other.bls_pairs
        self.hashes += other.hashes

    def count_sha256(self, messages: int, length: int) -> None:
        """Count the SHA-256 of `messages` messages of `length` bytes each."""
        self.sha256_blocks += messages * sha256_blocks(length)
        self.hashes += messages

    def count_keccak(self, messages: int, length: int) -> None:
        """Count the Keccak-256 of `messages` messages of `length` bytes each."""
        self.keccak_blocks += messages * keccak_blocks(length)
        self.hashes += messages

    @property
    def signatures_made(self) -> int:
        """Signatures made: ECDSA, Schnorr and BLS."""
        return self.ecdsa_signs + self.schnorr_signs + self.bls_signs

    @property
    def signatures_verified(self) -> int:
        """Signatures checked: ECDSA, Schnorr, BLS, and those whose signer's key was recovered from them.

        An aggregate over one message counts once, one over several once for each.
        """
        singly = self.ecdsa_verifies + self.schnorr_verifies + self.ecdsa_recovers
        return singly + self.bls_verifies + self.bls_pairs
