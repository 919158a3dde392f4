"""Settings of how a rollup settles on L1.

Gas figures of OP Stack contracts are those of the gas snapshot that its authors keep
(ethereum-optimism/optimism 0020adc2, packages/contracts-bedrock/.gas-snapshot) plus 21,000 a transaction, rounded.
"""

from typing import Annotated, Literal

from pydantic import Field

from l2sim.config import Config

MAX_L1_GAS = 16_777_216
"""Gas limit of one L1 transaction, 2**24 (EIP-7825)."""


class OptimisticConfig(Config):
    """State is proposed and stands unless somebody proves it wrong within the challenge window."""

    kind: Literal["optimistic"] = "optimistic"
    challenge_window_s: float = Field(default=604_800.0, gt=0, le=31_536_000)
    """Time in which a claim can be challenged, seconds: 7 days on OP Stack chains."""
    proposal_interval_s: float = Field(default=3_600.0, gt=0, le=604_800)
    """Time between proposals of the L2 state, seconds: 1,800 L2 blocks (optimism, mainnet.json)."""
    proposal_gas: int = Field(default=90_000, ge=21_000, le=MAX_L1_GAS)
    """L1 gas of a proposal (L2OutputOracle proposeL2Output, 68,671)."""
    prove_gas: int = Field(default=170_000, ge=21_000, le=MAX_L1_GAS)
    """L1 gas to prove a withdrawal. Proving and claiming in one took 187,013; the split into two steps, each with
    21,000 and some storage of its own, is an assumption."""
    claim_gas: int = Field(default=120_000, ge=21_000, le=MAX_L1_GAS)
    """L1 gas to claim a proven withdrawal; see `prove_gas`."""


class ValidityConfig(Config):
    """State stands when a proof of it has been verified on L1."""

    kind: Literal["validity"] = "validity"
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
    execution_delay_s: float = Field(default=0.0, ge=0, le=2_592_000)
    """Time between a proof's block and the moment its state counts, seconds; 76,000 on zkSync Era at first."""
    claim_gas: int = Field(default=120_000, ge=21_000, le=MAX_L1_GAS)
    """L1 gas to claim a withdrawal; an assumption."""


SettlementConfig = Annotated[OptimisticConfig | ValidityConfig, Field(discriminator="kind")]
