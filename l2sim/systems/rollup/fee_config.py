"""Settings of what users pay."""

from typing import Literal, get_args

from pydantic import Field, model_validator

from l2sim.config import Config

MOST_FEE_WEI = 2**63 - 1
"""Most that a payment's fee, or a batch's, may come to: what results can record, 9.2 ether."""
DEAREST_L1_WEI = 10**12
"""Base fee and blob base fee of L1 at which a transfer's fee must still be below that: 1,000 gwei."""
OpForkName = Literal[
    "bedrock", "regolith", "canyon", "delta", "ecotone", "fjord", "granite", "holocene", "isthmus", "jovian", "karst"
]
OP_FORK_ORDER: tuple[str, ...] = get_args(OpForkName)


class FeeConfig(Config):
    """What users pay: L2 gas, and their share of the L1 data by the chain's rule."""

    rule: Literal["op", "arbitrum", "pubdata", "starknet"] = "op"
    """Whose rule the L1 data is charged by: the OP Stack's, Arbitrum's, a price for each byte of state changed,
    as zkSync Era has it, or Starknet's for each field element of state changed."""
    op_fork: OpForkName = "fjord"
    """With `op`: the fork whose formula it is."""
    overhead: int = Field(default=188, ge=0, le=10**9)
    """With `op` before Ecotone: gas added to each transaction (optimism, mainnet.json)."""
    scalar: int = Field(default=684_000, ge=0, le=2**32 - 1)
    """With `op` before Ecotone: weight of the L1 base fee, millionths (optimism, mainnet.json)."""
    operator_fee_scalar: int = Field(default=0, ge=0, le=2**32 - 1)
    """With `op` since Isthmus: operator fee by gas, millionths of a wei (Isthmus) or hundreds of wei (Jovian)."""
    operator_fee_constant_wei: int = Field(default=0, ge=0, le=2**63 - 1)
    """With `op` since Isthmus: operator fee besides, wei a transaction."""
    arbitrum_price_wei: int | None = Field(default=None, ge=0, le=10**15)
    """With `arbitrum`: price of a unit (a sixteenth of a compressed byte) at the start, wei; by default L1's base
    fee. From then on it follows what batches cost."""
    arbitrum_reward_wei: int = Field(default=10, ge=0, le=10**12)
    """With `arbitrum`: reward for each unit (InitialPerUnitReward)."""
    arbitrum_equilibration_units: int = Field(default=160_000_000, ge=100, le=10**12)
    """With `arbitrum`: units over which a surplus or debt is worked off (InitialEquilibrationUnitsV6)."""
    arbitrum_inertia: int = Field(default=10, ge=1, le=10**6)
    """With `arbitrum`: how slowly the price moves (InitialInertia)."""
    arbitrum_report_delay_s: float = Field(default=0.0, ge=0, le=86_400)
    """With `arbitrum`: how long after a batch's block the chain hears what it cost, seconds. The report is a message
    from L1 like a deposit: ten minutes on Arbitrum One (arbitrum-docs, transaction lifecycle)."""
    pubdata_bytes: int = Field(default=60, ge=0, le=10**6)
    """With `pubdata`: bytes of state that a transaction is charged for. On zkSync Era a transfer changes two balances
    and a nonce: three slots of 4 bytes of number, one of operation and up to 15 of value."""
    pubdata_in: Literal["blob", "calldata"] = "blob"
    """With `pubdata`: what a byte is charged at, the blob base fee or 16 gas at the base fee."""
    pubdata_overcharge_percent: int = Field(default=100, ge=0, le=10_000)
    """With `pubdata`: the charge in per cent of that price: above 100 for blobs that are not full."""
    starknet_contracts: int = Field(default=2, ge=1, le=1_000)
    """With `starknet`: contracts that a transaction changes. A transfer changes the token's and the payer's own."""
    starknet_cells: int = Field(default=3, ge=1, le=1_000)
    """With `starknet`: storage cells that it changes: of a transfer, the balances of payer, payee and sequencer."""
    starknet_surcharge_wei: int = Field(default=0, ge=0, le=10**15)
    """With `starknet`: what is put on top of the blob base fee, wei: 1 gwei on Starknet (learn/protocol/fees.mdx)."""
    starknet_scale_per_mille: int = Field(default=1_000, ge=0, le=100_000)
    """With `starknet`: what of that price, in thousandths, is charged for a byte of state changed: 135 on Starknet,
    whose data takes about so much of its room when it is packed (the same)."""
    tip_sigma: float = Field(default=0.0, ge=0, le=3)
    """Standard deviation of the logarithm of users' priority fees around `priority_fee_wei`, each payment's its own;
    at 0 all pay the same."""

    l2_base_fee_wei: int = Field(default=200_000, ge=0, le=10**15)
    """L2 base fee, wei per gas, held constant: the floor of Base since Jovian (base/contract-deployments 532)."""
    priority_fee_wei: int = Field(default=1_000_000, ge=0, le=10**15)
    """Priority fee that wallets add, wei per gas: the least that op-geth suggests (eth/gasprice)."""
    l1_base_fee_scalar: int = Field(default=5_227, ge=0, le=2**32 - 1)
    """Weight of the L1 base fee in the L1 data fee, millionths: OP Mainnet since Fjord (optimism, mainnet.json)."""
    l1_blob_base_fee_scalar: int = Field(default=1_014_213, ge=0, le=2**32 - 1)
    """Weight of the L1 blob base fee in the L1 data fee, millionths: OP Mainnet since Fjord."""

    @model_validator(mode="after")
    def _check(self) -> "FeeConfig":
        # A transfer: 21,000 gas of L2, and the least size of 100 bytes by Fjord's rule (fees.py).
        l2_wei = 21_000 * (self.l2_base_fee_wei + self.priority_fee_wei)
        weight = 16 * self.l1_base_fee_scalar + self.l1_blob_base_fee_scalar
        most_wei = l2_wei + 100 * weight * DEAREST_L1_WEI // 10**6
        if most_wei > MOST_FEE_WEI:
            raise ValueError(
                f"the fee of a transfer at L1 fees of 1,000 gwei must be at most {MOST_FEE_WEI} wei, 9.2 ether "
                f"(got {most_wei} with l2_base_fee_wei {self.l2_base_fee_wei}, priority_fee_wei "
                f"{self.priority_fee_wei} and the scalars): lower them"
            )
        return self
