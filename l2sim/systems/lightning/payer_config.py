"""Settings of payers: one class a policy, with the defaults of the implementation it is named after.

What each policy does with them is in `policies`, a module each.
"""

from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, TypeAdapter, model_validator

from l2sim.config import Config


class Multipath(Config):
    """How an amount is divided: parts under one payment hash, delivered all or none (BOLT 4)."""

    split: Literal["flow", "halving", "capacity"] = "capacity"
    """`flow`: an amount of at least two parts is divided over all channels at once, so that the parts together cost
    least; what no flow is found for goes in one piece or not at all. The others divide only what finds no route:
    `halving` sends the largest half, quarter, eighth ... that finds one, and all of the rest is tried anew; `capacity`
    sends as much as its channels are believed to carry over the route of a fair share, and the rest goes on."""
    parts: int = Field(1, ge=1, le=1_000)
    """Parts of a payment at most; 1 divides nothing."""
    min_part_sat: int = Field(10_000, ge=1, le=10**12)
    """No payment is divided into parts smaller than this. Without effect with `parts: 1`."""
    hold_s: float = Field(60.0, gt=0, le=1e9)
    """How long the payee keeps the first part waiting for the others, then it refuses all that it has (BOLT 4: at
    least 60 s). Without effect with `parts: 1`."""


class SearchedMultipath(Multipath):
    """How an amount that no route takes is divided, of policies whose costs make no flow."""

    split: Literal["halving", "capacity"] = "capacity"
    """`halving`: of what finds no route, the largest half, quarter, eighth ... that does goes out, and all of the rest
    is tried anew. `capacity`: as much as its channels are believed to carry goes over the route of a fair share, and
    the rest goes on."""


class LndMultipath(SearchedMultipath):
    """Multi-path payments as LND makes them (routing/payment_session.go, invoices/invoiceregistry.go)."""

    split: Literal["halving", "capacity"] = "halving"
    """`halving`: of what finds no route, the largest half, quarter, eighth ... that does goes out, and a route is asked
    for all of the rest again. `capacity`: as much as its channels are believed to carry over the route of a fair share,
    and the rest goes on."""
    parts: int = Field(16, ge=1, le=1_000)
    """Parts of a payment under way at most; 1 divides nothing."""
    hold_s: float = Field(120.0, gt=0, le=1e9)
    """How long the payee keeps the first part waiting for the others."""


class ClnMultipath(Multipath):
    """Multi-path payments as Core Lightning makes them (plugins/askrene, plugins/xpay)."""

    split: Literal["flow", "halving", "capacity"] = "flow"
    """How an amount is divided. Flows need `search: askrene`; with `getroute` the default is `halving`."""
    parts: int = Field(100, ge=1, le=1_000)
    """Parts of a payment at most; 1 divides nothing."""
    min_part_sat: int = Field(1_000, ge=1, le=10**12)
    """No payment is divided into parts smaller than this (Core Lightning sends up to 1000 sat in one piece)."""


class LdkMultipath(SearchedMultipath):
    """Multi-path payments with the limits of LDK (routing/router.rs, ln/channelmanager.rs)."""

    parts: int = Field(10, ge=1, le=1_000)
    """Parts of a payment at most; 1 divides nothing."""
    hold_s: float = Field(180.0, gt=0, le=1e9)
    """How long the payee keeps the first part waiting for the others."""


class EclairMultipath(SearchedMultipath):
    """Multi-path payments with the limits of eclair (reference.conf)."""

    parts: int = Field(5, ge=1, le=1_000)
    """Parts of a payment at most; 1 divides nothing."""
    min_part_sat: int = Field(15_000, ge=1, le=10**12)
    """No payment is divided into parts smaller than this."""


class PayerBase(Config):
    """What payers of every policy have in common."""

    multipath: Multipath = Multipath()
    """How amounts are divided."""
    memory_entries: int = Field(1_000, ge=1, le=100_000)
    """Channels a payer remembers something of, those without news for longest dropped first."""
    max_attempts: int | None = Field(20, ge=1, le=10_000)
    """Failed routes, those of all parts together, after which a payment is given up; null for no number."""
    timeout_s: float = Field(60.0, gt=0, le=1e9)
    """No new attempt starts this long after the payment was sent (LND and CLN: 60 s)."""
    fee_limit_ppm: int = Field(50_000, ge=0, le=100_000_000)
    """The most a payer pays in routing fees, in millionths of the amount (LND lnwallet/parameters.go: 5 %)."""
    small_amount_sat: int = Field(1_000, ge=0, le=10**12)
    """Up to this amount a payer pays as much again in fees (LND lnwallet/parameters.go: 1000 sat)."""
    min_fee_limit_sat: int = Field(0, ge=0, le=10**12)
    """The fee limit is never below this."""
    max_hops: int = Field(20, ge=1, le=20)
    """Channels of a route at most (BOLT 4, attribution data)."""
    max_cltv_blocks: int = Field(2_016, ge=1, le=65_535)
    """Blocks for which the payer's money may be locked at most (BOLT 4 max_htlc_cltv)."""
    final_cltv_blocks: int = Field(18, ge=1, le=2_016)
    """Blocks the payee asks for on the last channel, and refuses an HTLC with fewer (BOLT 11 default)."""
    block_padding: int = Field(3, ge=0, le=144)
    """Blocks that payers add to that, for those found while the HTLCs are on their way (LND routing/router.go
    BlockPadding)."""

    @property
    def listens(self) -> bool:
        """Whether the terms in a refusal are taken for the payer's own view."""
        return False

    @property
    def avoids(self) -> bool:
        """Whether a payment never goes again over a channel over which a part of it has failed."""
        return False

    @property
    def forgives(self) -> bool:
        """Whether a channel that refuses any amount is left out for the payment under way only."""
        return False

    @model_validator(mode="after")
    def _payees_ask_for_no_more_than_payers_give(self) -> Self:
        asked = self.final_cltv_blocks + self.block_padding
        if asked > self.max_cltv_blocks:
            raise ValueError(
                f"max_cltv_blocks must be at least final_cltv_blocks + block_padding, {asked} "
                f"(got {self.max_cltv_blocks})"
            )
        return self


class LndPayer(PayerBase):
    """LND: fees, the price of locked money, and an attempt cost divided by the probability of success."""

    policy: Literal["lnd"] = "lnd"
    """How payers find routes: as LND does."""
    multipath: LndMultipath = LndMultipath()
    """How amounts that no route takes are divided."""
    max_attempts: int | None = Field(None, ge=1, le=10_000)
    """Failed routes, those of all parts together, after which a payment is given up; null for no number, as LND, which
    gives up when its time is over or no route is left (routing/payment_lifecycle.go)."""
    estimator: Literal["apriori", "bimodal"] = "apriori"
    """How the probability of a channel is estimated: from its record and that of its node, weighed with a fixed
    probability (LND's default), or from where its liquidity lies, at either end rather than in between."""
    risk_factor_billionths: int = Field(15, ge=0, le=1_000_000)
    """Price of locking one unit of money for one block (LND routing/pathfind.go RiskFactorBillionths)."""
    attempt_cost_sat: int = Field(100, ge=0, le=10**9)
    """Fixed part of the attempt cost (LND routing/router.go DefaultAttemptCost)."""
    attempt_cost_ppm: int = Field(1_000, ge=0, le=1_000_000)
    """Proportional part of the attempt cost (LND DefaultAttemptCostPPM)."""
    time_preference: float = Field(0.0, ge=-1, le=1)
    """From -1, fees only, to 1, reliability only: the attempt cost is multiplied by 1 / (0.5 - 0.45 t) - 1 (LND
    routing/pathfind.go)."""
    hop_probability: float = Field(0.6, ge=1e-9, le=1)
    """Probability given to a channel that nothing is known of (LND DefaultAprioriHopProbability). Only `apriori`."""
    apriori_weight: float = Field(0.5, ge=0, le=1)
    """How much that counts against the record of a node's other channels; 1 leaves the record out (LND
    DefaultAprioriWeight). Only `apriori`."""
    min_probability: float = Field(0.01, ge=0, lt=1)
    """Routes below this estimated probability are not tried (LND DefaultMinRouteProbability)."""
    memory_s: float = Field(3_600.0, gt=0, le=1e9)
    """Half-life of a failure: a channel's probability recovers so (LND DefaultPenaltyHalfLife). Only `apriori`."""
    memory_entries: int = Field(1_000, ge=1, le=100_000)
    """Pairs of nodes a payer remembers results of, the oldest dropped first (LND DefaultMaxMcHistory)."""
    bimodal_scale_sat: int = Field(300_000, ge=1, le=10**12)
    """How far from either end of a channel its liquidity lies (LND DefaultBimodalScaleMsat). Only `bimodal`."""
    bimodal_node_weight: float = Field(0.2, ge=0, le=1)
    """What a result on another channel of the node counts (LND DefaultBimodalNodeWeight). Only `bimodal`."""
    bimodal_decay_s: float = Field(604_800.0, gt=0, le=1e9)
    """Time in which results fade to 1/e (LND DefaultBimodalDecayTime: 7 days). Only `bimodal`."""

    @property
    def listens(self) -> bool:
        """LND applies the channel_update that a failure brings."""
        return True


class ClnPayer(PayerBase):
    """Core Lightning: the flows of least cost of its newer search (askrene), or its older plain search."""

    policy: Literal["cln"] = "cln"
    """How payers find routes: as Core Lightning does."""
    multipath: ClnMultipath = ClnMultipath()
    """How amounts that no route takes are divided."""
    max_attempts: int | None = Field(None, ge=1, le=10_000)
    """Failed routes, those of all parts together, after which a payment is given up; null for no number, as Core
    Lightning, which gives up when its time is over or no route is left (plugins/xpay/xpay.c)."""
    search: Literal["askrene", "getroute"] = "askrene"
    """`askrene`: uncertain liquidity weighed against fees, by flows where `multipath` allows more parts than one.
    `getroute`: fees and the price of locked money only."""
    risk_factor_percent: int = Field(10, ge=0, le=1_000)
    """Price of locked money in percent a year (CLN plugins/pay.c). Only `getroute`."""
    fee_limit_ppm: int = Field(10_000, ge=0, le=100_000_000)
    """The most a payer pays in routing fees, in millionths of the amount (CLN plugins/xpay: 1 %)."""
    small_amount_sat: int = Field(0, ge=0, le=10**12)
    """Up to this amount a payer pays as much again in fees."""
    min_fee_limit_sat: int = Field(5, ge=0, le=10**12)
    """The fee limit is never below this (CLN plugins/xpay)."""
    memory_s: float = Field(3_600.0, gt=0, le=1e9)
    """How long what attempts taught of a channel's liquidity counts."""

    @property
    def forgives(self) -> bool:
        """As `xpay`, which disables such a channel in a layer of the payment's own."""
        return self.search == "askrene"

    @model_validator(mode="after")
    def _flows_need_their_costs(self) -> Self:
        if self.search == "getroute" and self.multipath.split == "flow":
            if "split" in self.multipath.model_fields_set:
                raise ValueError("multipath.split must be halving or capacity with search: getroute (got flow)")
            object.__setattr__(self, "multipath", self.multipath.model_copy(update={"split": "halving"}))
        return self


class LdkPayer(PayerBase):
    """LDK: penalties from bounds of each channel's liquidity and from their history in 32 buckets a side."""

    policy: Literal["ldk"] = "ldk"
    """How payers find routes: as LDK does."""
    multipath: LdkMultipath = LdkMultipath()
    """How amounts that no route takes are divided."""
    base_penalty_msat: int = Field(5_120, ge=0, le=10**9)
    """Penalty of every channel (LDK lightning/src/routing/scoring.rs, as all of these)."""
    base_penalty_amount_multiplier_msat: int = Field(655_360, ge=0, le=10**9)
    """The same for each 2**30 msat of the amount."""
    liquidity_penalty_multiplier_msat: int = Field(0, ge=0, le=10**9)
    """Penalty times -log10 of the probability by the bounds as they are now."""
    liquidity_penalty_amount_multiplier_msat: int = Field(0, ge=0, le=10**6)
    """The same for each 2**20 msat of the amount."""
    historical_penalty_multiplier_msat: int = Field(50_000, ge=0, le=10**9)
    """Penalty times -log10 of the probability by the bounds' history."""
    historical_penalty_amount_multiplier_msat: int = Field(6_250, ge=0, le=10**6)
    """The same for each 2**20 msat of the amount."""
    anti_probing_penalty_msat: int = Field(1_250, ge=0, le=10**9)
    """Penalty of a channel whose largest HTLC is half its capacity or more, and that is so easily probed."""
    considered_impossible_penalty_msat: int = Field(10**11, ge=0, le=10**14)
    """Penalty of a channel believed to hold less than the amount."""
    offset_half_life_s: float = Field(1_800.0, gt=0, le=1e9)
    """In which the bounds recede towards nothing known, every five minutes."""
    history_half_life_s: float = Field(1_209_600.0, gt=0, le=1e9)
    """After which without news of a channel its history is halved."""
    saturation_power_of_half: int = Field(2, ge=0, le=30)
    """A part takes at most this power of a half of a channel's capacity, so long as that finds a route
    (LDK max_channel_saturation_power_of_half). 0 takes all."""
    max_cltv_blocks: int = Field(1_008, ge=1, le=65_535)
    """Blocks for which the payer's money may be locked at most (LDK DEFAULT_MAX_TOTAL_CLTV_EXPIRY_DELTA)."""

    @property
    def avoids(self) -> bool:
        """LDK keeps `previously_failed_channels` with the payment (routing/router.rs)."""
        return True


class EclairPayer(PayerBase):
    """eclair: fees, locked money and a cost a hop, and a failure cost divided by the probability of success."""

    policy: Literal["eclair"] = "eclair"
    """How payers find routes: as eclair does."""
    multipath: EclairMultipath = EclairMultipath()
    """How amounts that no route takes are divided."""
    max_attempts: int | None = Field(5, ge=1, le=10_000)
    """Failed routes, those of all parts together, after which a payment is given up; null for no number (eclair
    max-payment-attempts: 5)."""
    risk_factor_billionths: int = Field(10, ge=0, le=1_000_000)
    """Price of locking one unit of money for one block (eclair reference.conf locked-funds-risk, as all of these)."""
    hop_cost_msat: int = Field(500, ge=0, le=10**9)
    """Cost of every channel."""
    hop_cost_ppm: int = Field(200, ge=0, le=1_000_000)
    """The same in millionths of the amount."""
    failure_cost_msat: int = Field(2_000, ge=0, le=10**9)
    """Fixed part of the failure cost."""
    failure_cost_ppm: int = Field(500, ge=0, le=1_000_000)
    """Proportional part of the failure cost."""
    memory_s: float = Field(60.0, gt=0, le=1e9)
    """How long a channel that failed is left out."""
    fee_limit_ppm: int = Field(30_000, ge=0, le=100_000_000)
    """The most a payer pays in routing fees, in millionths of the amount (3 %)."""
    small_amount_sat: int = Field(0, ge=0, le=10**12)
    """Up to this amount a payer pays as much again in fees."""
    min_fee_limit_sat: int = Field(21, ge=0, le=10**12)
    """The fee limit is never below this."""
    max_hops: int = Field(6, ge=1, le=20)
    """Channels of a route at most. eclair searches again with 20 where that finds nothing, which payers here do not."""

    @property
    def listens(self) -> bool:
        """eclair applies the channel_update that a failure brings."""
        return True


class UniformPayer(PayerBase):
    """Liquidity equally likely anywhere between the bounds known: the most probable routes (arXiv 2103.08576)."""

    policy: Literal["uniform"] = "uniform"
    """How payers find routes: by probability under uniform liquidity."""
    multipath: Multipath = Multipath()
    """How amounts are divided; with `split: flow`, as Pickhardt and Richter do (arXiv 2107.05322)."""
    mu: float = Field(1.0, ge=0, le=1e9)
    """How much fees count against reliability: fees of one percent of the amount weigh as much as a probability
    smaller by exp(mu). 0 looks at probability alone."""
    memory_s: float = Field(3_600.0, gt=0, le=1e9)
    """How long what attempts taught of a channel's liquidity counts."""


class CheapestPayer(PayerBase):
    """Fees and the price of locked money only; channels that failed are left out for a while."""

    policy: Literal["cheapest"] = "cheapest"
    """How payers find routes: by fees alone."""
    multipath: SearchedMultipath = SearchedMultipath()
    """How amounts that no route takes are divided."""
    memory_s: float = Field(3_600.0, gt=0, le=1e9)
    """How long a channel whose failure is remembered is left out; then it is forgotten."""
    risk_factor_billionths: int = Field(15, ge=0, le=1_000_000)
    """Price of locking one unit of money for one block (LND routing/pathfind.go RiskFactorBillionths)."""


def _lnd_unless_told(value: Any) -> Any:
    return {"policy": "lnd", **value} if isinstance(value, dict) else value


Payer = Annotated[
    LndPayer | ClnPayer | LdkPayer | EclairPayer | UniformPayer | CheapestPayer,
    Field(discriminator="policy"),
    BeforeValidator(_lnd_unless_told),
]
"""The settings of payers; `policy` says which implementation they are like, LND unless told otherwise."""

_ADAPTER: TypeAdapter[Payer] = TypeAdapter(Payer)


def payer(**settings: Any) -> Payer:
    """Checked settings from keywords, as a scenario file gives them.

    >>> payer(policy="cln").fee_limit_ppm, payer(max_attempts=3).policy
    (10000, 'lnd')
    """
    return _ADAPTER.validate_python(settings)
