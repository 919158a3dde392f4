"""Settings of the on-chain baseline."""

from typing import Literal

from pydantic import Field

from l2sim.config import Config


class OnchainConfig(Config):
    """Every payment is an L1 transaction of its own, on the Bitcoin-like or the Ethereum-like chain."""

    kind: Literal["onchain"]
    l1: str
    """Name of the chain that carries the payments."""

    assured_confirmations: int = Field(default=1, ge=1, le=1000)
    """Confirmations after which the payee acts on the money."""

    target_blocks: int = Field(default=3, ge=1, le=1008)
    """Bitcoin-like chains: wallets bid the fee rate that should get them in within this many blocks."""

    coins_per_user: int = Field(default=5, ge=1, le=100)
    """Bitcoin-like chains: into how many equal coins a user's funds are split at the start."""

    bump_after_blocks: int = Field(default=0, ge=0, le=1008)
    """Bitcoin-like chains: a wallet whose payment is in no block after this many replaces it by one that pays the
    estimate of that time, out of the change (BIP 125), and again after as many. 0: it waits."""
