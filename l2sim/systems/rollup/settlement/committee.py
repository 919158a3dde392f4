"""The data-availability committee of a validium: it keeps the data and signs that it does."""

from l2sim.crypto.hashing.reference import keccak256
from l2sim.crypto.signatures import ecdsa
from l2sim.crypto.signatures.keys import public_key
from l2sim.crypto.work import Work
from l2sim.engine import ns
from l2sim.errors import InvariantError
from l2sim.systems.base import World
from l2sim.systems.rollup.aggregation import bls_signatures
from l2sim.systems.rollup.settlement.config import ECDSA_BYTES, CommitteeConfig


class Committee:
    """Signs each batch, and checks the signatures as L1 does; with modelled cryptography bytes stand in for them."""

    def __init__(self, config: CommitteeConfig, world: World, work: Work) -> None:
        self.config = config
        self._work = work
        self._profile = world.profile
        self._real = world.crypto == "real"
        self._random = world.streams.get("rollup/committee")
        self._secrets = [world.streams.secret("rollup/committee", member) for member in range(config.members)]
        self._keys: list[bytes] = []
        if self._real and config.signatures == "bls":
            self._bls = bls_signatures("settlement.committee.signatures: bls")
            self._secrets = [b"\x00" + secret[1:] for secret in self._secrets]  # below the order of the group
            self._keys = [self._bls.public_key(secret) for secret in self._secrets]
        elif self._real:
            self._keys = [public_key(secret) for secret in self._secrets]
        self.response_ns = ns(config.response_s)
        """Time until enough members have signed."""
        self.busy_ns = 0
        """CPU time of all members together, and of who puts their signatures together and checks them."""
        self.certificates = 0
        """Batches signed for."""

    def certify(self, data: bytes, root: bytes) -> bytes:
        """The certificate of a batch: as many members as L1 asks for sign the hash of its data and its root."""
        self.certificates += 1
        signers = range(self.config.threshold)
        message = keccak256(keccak256(data) + root)
        done = Work()
        done.count_keccak(1, 2 * len(root))
        done.count_keccak(1, len(data))
        if self.config.signatures == "ecdsa":
            done.ecdsa_signs += len(signers)
            done.ecdsa_recovers += len(signers)
        else:
            done.bls_signs += len(signers)
            done.bls_verifies += 1
            done.bls_points += 2 * (len(signers) - 1)  # signatures that are aggregated, keys that are
        self._work.add(done)
        self.busy_ns += self._profile.cost_ns(done)
        mask = sum(1 << member for member in signers).to_bytes(-(-self.config.members // 8), "little")
        if not self._real:
            return mask + self._random.bytes(self.config.certificate_bytes - len(mask))
        if self.config.signatures == "bls":
            signed: bytes = self._bls.aggregate([self._bls.sign(message, self._secrets[member]) for member in signers])
        else:
            signed = b"".join(ecdsa.sign_recoverable(message, self._secrets[member]) for member in signers)
        certificate = mask + signed
        if not self.holds(certificate, data, root):
            raise InvariantError(f"the committee's certificate must hold: {certificate.hex()}")
        return certificate

    def holds(self, certificate: bytes, data: bytes, root: bytes) -> bool:
        """Whether enough members signed for that data and root, as L1 checks it; only with real cryptography."""
        message = keccak256(keccak256(data) + root)
        size = -(-self.config.members // 8)
        mask, signed = int.from_bytes(certificate[:size], "little"), certificate[size:]
        signers = [member for member in range(self.config.members) if mask >> member & 1]
        if len(signers) < self.config.threshold or mask >> self.config.members:
            return False
        if self.config.signatures == "bls":
            return bool(self._bls.fast_aggregate_verify(message, signed, [self._keys[member] for member in signers]))
        if len(signed) != ECDSA_BYTES * len(signers):
            return False
        parts = [signed[start : start + ECDSA_BYTES] for start in range(0, len(signed), ECDSA_BYTES)]
        return all(
            ecdsa.recover(message, part, rule=ecdsa.Rule.BITCOIN) == self._keys[member]
            for part, member in zip(parts, signers, strict=True)
        )
