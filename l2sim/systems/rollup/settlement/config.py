"""Settings of how a rollup settles on L1.

Gas figures of OP Stack contracts are those of the gas snapshot that its authors keep
(ethereum-optimism/optimism 0020adc2, packages/contracts-bedrock/.gas-snapshot) plus 21,000 a transaction, rounded.
"""

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from l2sim.config import Config
from l2sim.systems.rollup.outage_config import OutageConfig, refuse_overlaps

MAX_L1_GAS = 16_777_216
"""Gas limit of one L1 transaction, 2**24 (EIP-7825)."""
ECRECOVER_GAS = 3_000  # go-ethereum params EcrecoverGas
PAIRING_GAS = 37_700 + 2 * 32_600
"""Of one check with two pairings, whatever the number of signers (EIP-2537): 102,900."""
G1_ADD_GAS = 375
"""Of adding one signer's key (EIP-2537)."""
ECDSA_BYTES = 65
BLS_BYTES = 96


class DisputeConfig(Config):
    """A watcher who executes every batch again, and the disputes that it opens over lies.

    Depths, clocks and bonds are those of OP Stack chains (ethereum-optimism/specs fd72cf79, fault-proof/stage-one);
    the gas of moves is an assumption, of the size that bonds are made to pay for.
    """

    lying_proposals: tuple[int, ...] = Field(default=(), max_length=1_000)
    """Numbers of the proposals, the first being 0, in which the proposer claims too much for itself."""
    lie_eth: float = Field(default=1.0, gt=0, le=1e9)
    """What it claims too much in each of them, ether."""
    watcher_outages: tuple[OutageConfig, ...] = Field(default=(), max_length=1_000)
    """Times in which the watcher sees nothing and makes no move, in order and apart. A lie that nobody disputes within
    the challenge window becomes final, and so does one whose dispute the watcher loses on its clock: the proposer then
    takes what it claimed out of the bridge, as far as that holds so much."""
    max_depth: int = Field(default=73, ge=1, le=126)
    """Claims after which a single instruction is left, which L1 executes."""
    split_depth: int = Field(default=30, ge=1, le=125)
    """Deepest claims about whole outputs; a claim one level above extends clocks twice as far."""
    clock_s: float = Field(default=302_400.0, gt=0, le=31_536_000)
    """Time that each side has for all its moves, seconds: 3.5 days."""
    extension_s: float = Field(default=10_800.0, ge=0, le=31_536_000)
    """Time that a side has left at least after a move, seconds: 3 hours."""
    watcher_delay_s: float = Field(default=600.0, ge=0, le=31_536_000)
    """How long after a proposal's block the watcher opens a dispute, seconds; an assumption."""
    response_s: float = Field(default=60.0, ge=0, le=31_536_000)
    """How long a side takes to answer a move, seconds after its block; an assumption."""
    move_gas: int = Field(default=250_000, ge=21_000, le=MAX_L1_GAS)
    """L1 gas of a move."""
    step_gas: int = Field(default=400_000, ge=21_000, le=MAX_L1_GAS)
    """L1 gas of executing an instruction."""
    resolve_gas: int = Field(default=400_000, ge=21_000, le=MAX_L1_GAS)
    """L1 gas of resolving a game and its bonds."""

    @model_validator(mode="after")
    def _has_outages_in_order(self) -> Self:
        refuse_overlaps(self.watcher_outages)
        return self

    @model_validator(mode="after")
    def _has_time_for_an_extension(self) -> Self:
        if self.clock_s < 2 * self.extension_s:
            raise ValueError(f"clock_s must be at least twice extension_s, {self.extension_s} (got {self.clock_s})")
        return self

    @model_validator(mode="after")
    def _has_time_for_its_moves(self) -> Self:
        moves_s = self.watcher_delay_s + (self.max_depth // 2 + 1) * self.response_s
        if moves_s >= self.clock_s:
            raise ValueError(
                f"clock_s must be more than the watcher's moves take, {moves_s:g}: its delay and a response to every "
                f"second of {self.max_depth} claims (got {self.clock_s})"
            )
        return self


class OptimisticConfig(Config):
    """State is proposed and stands unless somebody proves it wrong within the challenge window."""

    kind: Literal["optimistic"] = "optimistic"
    challenge_window_s: float = Field(default=604_800.0, gt=0, le=31_536_000)
    """Time in which a claim can be challenged, seconds: 7 days on OP Stack chains."""
    proposal_interval_s: float = Field(default=3_600.0, gt=0, le=604_800)
    """Time between proposals of the L2 state, seconds: 1,800 L2 blocks (optimism, mainnet.json)."""
    proposal_gas: int = Field(default=90_000, ge=21_000, le=MAX_L1_GAS)
    """L1 gas of a proposal (L2OutputOracle proposeL2Output, 68,671)."""
    disputes: DisputeConfig | None = None
    """A watcher, and what it disputes; without it nobody lies."""
    prove_gas: int = Field(default=170_000, ge=21_000, le=MAX_L1_GAS)
    """L1 gas to prove a withdrawal. Proving and claiming in one took 187,013; the split into two steps, each with
    21,000 and some storage of its own, is an assumption."""
    claim_gas: int = Field(default=120_000, ge=21_000, le=MAX_L1_GAS)
    """L1 gas to claim a proven withdrawal; see `prove_gas`."""

    @model_validator(mode="after")
    def _check(self) -> "OptimisticConfig":
        disputes = self.disputes
        if disputes is not None and disputes.lying_proposals and self.challenge_window_s < 2 * disputes.clock_s:
            raise ValueError(
                f"challenge_window_s must be at least both clocks of a dispute, {2 * disputes.clock_s:g}, or lies "
                f"would become final (got {self.challenge_window_s:g})"
            )
        return self


class ProvenConfig(Config):
    """What kinds that prove their batches have in common."""

    provers: int = Field(default=16, ge=1, le=100_000)
    """Batches that can be proven at the same time."""
    proof_s: float = Field(default=3_600.0, ge=0, le=2_592_000)
    """Time to prove a batch, whatever is in it, seconds: about an hour (docs.zksync.io, finality)."""
    proof_s_per_transaction: float = Field(default=0.0, ge=0, le=3_600)
    """Time to prove each transaction of a batch, seconds; Loopring: 7 min for 2,048 trades, 0.2 s each."""
    proof_usd: float = Field(default=0.0, ge=0, le=1_000_000)
    """Cost of proving a batch, whatever is in it, US dollars."""
    proof_usd_per_transaction: float = Field(default=0.0001, ge=0, le=1_000)
    """Cost of proving each transaction, US dollars (Loopring/protocols, DESIGN.md); general zkEVMs cost more."""
    verify_gas: int = Field(default=270_000, ge=0, le=MAX_L1_GAS)
    """L1 gas to verify a proof, beside its transaction: SP1's Groth16 (docs.succinct.xyz, proof types)."""
    proof_bytes: int = Field(default=260, ge=1, le=100_000)
    """Size of a proof, bytes: the same source."""
    batches_per_proof: int = Field(default=1, ge=1, le=10_000)
    """Batches whose proofs are folded into one that L1 verifies: a proof goes out with that many."""
    aggregation_wait_s: float = Field(default=3_600.0, ge=0, le=2_592_000)
    """Longest time that a proven batch waits for others before a proof goes out with fewer, seconds."""
    aggregation_s: float = Field(default=0.0, ge=0, le=2_592_000)
    """Time to fold proofs into one, seconds; nothing where there is only one."""
    outages: tuple[OutageConfig, ...] = Field(default=(), max_length=1_000)
    """Times in which no prover works, in order and apart; what they were at goes on afterwards."""
    execution_delay_s: float = Field(default=0.0, ge=0, le=2_592_000)
    """Time between a proof's block and the moment its state counts, seconds; 76,000 on zkSync Era at first."""
    execute_gas: int = Field(default=0, ge=0, le=MAX_L1_GAS - 21_000)
    """L1 gas of making a proven batch count, beside its transaction, which is sent after the delay: the third step of
    zkSync Era. At 0 there is no such transaction, and the proof is enough."""
    claim_gas: int = Field(default=120_000, ge=21_000, le=MAX_L1_GAS)
    """L1 gas to claim a withdrawal; an assumption."""

    @model_validator(mode="after")
    def _has_outages_in_order(self) -> Self:
        refuse_overlaps(self.outages)
        return self


class ValidityConfig(ProvenConfig):
    """State stands when a proof of it has been verified on L1; the data is on L1 too."""

    kind: Literal["validity"] = "validity"


class CommitteeConfig(Config):
    """Who keeps the data of a validium, and signs for each batch that it has it."""

    members: int = Field(default=8, ge=1, le=256)
    """Members; an assumption."""
    threshold: int = Field(default=6, ge=1, le=256)
    """Signatures that L1 asks for with each batch."""
    signatures: Literal["bls", "ecdsa"] = "ecdsa"
    """bls: one aggregate signature, checked with two pairings (EIP-2537); ecdsa: one a member, each recovered."""
    response_s: float = Field(default=1.0, ge=0, le=86_400)
    """Time until enough members have signed, seconds; an assumption."""
    withholds: bool = False
    """Whether the members keep the data to themselves once users leave: nobody can then prove what it owns."""

    @model_validator(mode="after")
    def _check(self) -> "CommitteeConfig":
        if self.threshold > self.members:
            raise ValueError(f"threshold must be at most members, {self.members} (got {self.threshold})")
        return self

    @property
    def check_gas(self) -> int:
        """L1 gas of checking the signatures of one batch, beside their calldata."""
        if self.signatures == "bls":
            return PAIRING_GAS + (self.threshold - 1) * G1_ADD_GAS
        return self.threshold * ECRECOVER_GAS

    @property
    def certificate_bytes(self) -> int:
        """Size of the signatures of one batch: the members who signed as bits, and what they signed with."""
        mask = -(-self.members // 8)
        return mask + (BLS_BYTES if self.signatures == "bls" else ECDSA_BYTES * self.threshold)


class ValidiumConfig(ProvenConfig):
    """State stands when a proof of it has been verified on L1; a committee keeps the data.

    With `l1_share` it is a volition: users choose whether the data of their accounts is on L1 too.
    """

    kind: Literal["validium"] = "validium"
    committee: CommitteeConfig = Field(default_factory=CommitteeConfig)
    """Who keeps the data."""
    l1_share: float = Field(default=0.0, ge=0, le=1)
    """Share of the users who have the data of their accounts on L1, each drawn at even chance; 0: a validium."""
    update_gas: int = Field(default=100_000, ge=21_000, le=MAX_L1_GAS)
    """L1 gas of putting a batch's root on L1, beside the check of the committee's signatures; an assumption."""


SettlementConfig = Annotated[OptimisticConfig | ValidityConfig | ValidiumConfig, Field(discriminator="kind")]


class EscapeConfig(Config):
    """The operator serves nobody any more when users leave: they go by the escape hatch.

    A request on L1, unserved for the window, freezes the rollup; then a proof of balance gets the money out.
    """

    stops_s: float | None = Field(default=None, ge=0, le=1e9)
    """When the operator stops for good, seconds from the start of the payments: what waits is dropped, and payments
    that were confirmed are undone unless their batch was executed on L1 by then (on L1, where settlement is
    optimistic). Without it the operator serves payments to the end and only nobody who leaves."""

    request_gas: int = Field(default=100_000, ge=21_000, le=MAX_L1_GAS)
    """L1 gas of a forced request; an assumption."""
    window_s: float = Field(default=604_800.0, gt=0, le=31_536_000)
    """Time in which a request must be served, seconds: 7 days on StarkEx (LibConstants.sol), 14 on zkSync Lite
    (Config.sol), 15 on Loopring (ExchangeData.sol)."""
    escape_gas: int = Field(default=200_000, ge=21_000, le=MAX_L1_GAS)
    """L1 gas of an exit by proof of balance; an assumption: 300 of them fill a block of 60 M gas."""


class FastExitConfig(Config):
    """A liquidity provider pays users who leave at once, and waits for their withdrawals in their place."""

    capital_usd: float = Field(default=100_000.0, gt=0, le=1e12)
    """What it can lay out, US dollars."""
    fee_bips: float = Field(default=10.0, ge=0, le=10_000)
    """What it keeps, hundredths of a per cent: solvers take 5 to 15 (whysogeek.com summary, unverified)."""
    share: float = Field(default=1.0, ge=0, le=1)
    """Share of the leaving users who take the offer."""
    fill_gas: int = Field(default=60_000, ge=21_000, le=MAX_L1_GAS)
    """L1 gas of paying a user; an assumption."""
