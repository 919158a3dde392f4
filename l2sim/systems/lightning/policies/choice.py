"""From a payer's settings to a policy: which cost function, with which numbers, and what is remembered."""

import numpy as np

from l2sim.engine import ns
from l2sim.money import MSAT_PER_SAT
from l2sim.systems.lightning.belief import Belief, Style
from l2sim.systems.lightning.payer_config import (
    CheapestPayer,
    ClnPayer,
    EclairPayer,
    LdkPayer,
    LndPayer,
    Payer,
    UniformPayer,
)
from l2sim.systems.lightning.policies.cln import SLOPES
from l2sim.systems.lightning.policies.terms import Rule, Terms
from l2sim.systems.lightning.routing import Network, RoutingTable

BILLION = 1_000_000_000
RISK_YEAR_BLOCKS = 52_596 * 100  # blocks of a year, for a risk factor in percent (CLN common/route.c)
MU_FIRST = 1  # weight of fees, of 100, that Core Lightning begins with
DELAY_FIRST = 1e-6  # what a block of delay weighs beside a ppm
BASE_FEE_AMOUNT_MSAT = 10_000_000  # at this amount, a msat of base fee weighs like one ppm
NANO_NATS = 1_000_000  # a nat, in the units of `uniform`


def style_of(settings: Payer) -> Style:
    """What payers of that policy keep of what they see."""
    match settings:
        case LndPayer():
            return Style.RESULTS
        case LdkPayer():
            return Style.HISTORY
        case UniformPayer():
            return Style.BOUNDS
        case ClnPayer():
            return Style.BOUNDS if settings.search == "askrene" else Style.FAILURES
        case CheapestPayer() | EclairPayer():
            return Style.FAILURES


def make_belief(table: RoutingTable, settings: Payer) -> Belief:
    """An empty belief for payers of that policy."""
    half_lives_ns = (1.0, 1.0)
    if isinstance(settings, LdkPayer):
        half_lives_ns = float(ns(settings.offset_half_life_s)), float(ns(settings.history_half_life_s))
    return Belief(table, style_of(settings), settings.memory_entries, half_lives_ns)


def terms_of(settings: Payer, amount_msat: int, network: Network) -> Terms:
    """The numbers of a policy for a payment of that amount."""
    match settings:
        case LndPayer():
            return _lnd(settings, amount_msat)
        case ClnPayer():
            if settings.search == "askrene":
                return askrene_terms(settings, amount_msat, network, MU_FIRST, DELAY_FIRST)
            return Terms(
                int(Rule.CLN_GETROUTE),
                risk_numerator=settings.risk_factor_percent,
                risk_denominator=RISK_YEAR_BLOCKS,
                memory_ns=float(ns(settings.memory_s)),
            )
        case LdkPayer():
            return _ldk(settings)
        case EclairPayer():
            cost_msat = settings.failure_cost_msat + amount_msat * settings.failure_cost_ppm // 1_000_000
            return Terms(
                int(Rule.ECLAIR),
                attempt_cost_msat=cost_msat,
                risk_numerator=settings.risk_factor_billionths,
                risk_denominator=BILLION,
                hop_cost_msat=settings.hop_cost_msat,
                hop_cost_ppm=settings.hop_cost_ppm,
                memory_ns=float(ns(settings.memory_s)),
            )
        case UniformPayer():
            return Terms(
                int(Rule.UNIFORM),
                fee_weight=settings.mu * NANO_NATS * 100 / amount_msat,
                log_weight=float(NANO_NATS),
                memory_ns=float(ns(settings.memory_s)),
            )
        case CheapestPayer():
            return Terms(
                int(Rule.CHEAPEST),
                risk_numerator=settings.risk_factor_billionths,
                risk_denominator=BILLION,
                memory_ns=float(ns(settings.memory_s)),
            )


def lnd_attempt_cost_msat(settings: LndPayer, amount_msat: int) -> int:
    """What a failed attempt is reckoned to cost (LND routing/pathfind.go).

    >>> lnd_attempt_cost_msat(LndPayer(), 10**8), lnd_attempt_cost_msat(LndPayer(time_preference=1), 10**8)
    (200000, 3800000)
    """
    cost_msat = settings.attempt_cost_sat * MSAT_PER_SAT + amount_msat * settings.attempt_cost_ppm // 1_000_000
    if settings.time_preference == 0:
        return cost_msat
    return round(cost_msat * (1 / (0.5 - 0.9 * settings.time_preference / 2) - 1))


def _lnd(settings: LndPayer, amount_msat: int) -> Terms:
    weight = settings.apriori_weight
    return Terms(
        int(Rule.LND if settings.estimator == "apriori" else Rule.LND_BIMODAL),
        attempt_cost_msat=lnd_attempt_cost_msat(settings, amount_msat),
        min_probability=settings.min_probability,
        risk_numerator=settings.risk_factor_billionths,
        risk_denominator=BILLION,
        memory_ns=float(ns(settings.memory_s)),
        hop_probability=settings.hop_probability,
        apriori_factor=1 / (1 - weight) - 1 if weight < 1 else -1.0,
        scale_msat=float(settings.bimodal_scale_sat * MSAT_PER_SAT),
        node_weight=settings.bimodal_node_weight,
        decay_ns=float(ns(settings.bimodal_decay_s)),
    )


def _ldk(settings: LdkPayer) -> Terms:
    return Terms(
        int(Rule.LDK),
        base_penalty_msat=settings.base_penalty_msat,
        base_amount_multiplier=settings.base_penalty_amount_multiplier_msat,
        liquidity_multiplier=settings.liquidity_penalty_multiplier_msat,
        liquidity_amount_multiplier=settings.liquidity_penalty_amount_multiplier_msat,
        history_multiplier=settings.historical_penalty_multiplier_msat,
        history_amount_multiplier=settings.historical_penalty_amount_multiplier_msat,
        anti_probing_msat=settings.anti_probing_penalty_msat,
        impossible_msat=settings.considered_impossible_penalty_msat,
        offset_half_life_ns=float(ns(settings.offset_half_life_s)),
        history_half_life_ns=float(ns(settings.history_half_life_s)),
        saturation_power=settings.saturation_power_of_half,
    )


def askrene_terms(settings: ClnPayer, amount_msat: int, network: Network, mu: int, delay_weight: float) -> Terms:
    """The numbers of Core Lightning's combined cost: mu for fees, 100 - mu for -log P scaled to them."""
    base_fee_weight = BASE_FEE_AMOUNT_MSAT / amount_msat
    usable = network.limit_msat > 0
    ratio = 1.0
    if usable.any():
        fee = network.fee_ppm + network.base_fee_msat * base_fee_weight + network.cltv_delta * delay_weight
        fee_median = float(np.median(fee[usable]))
        # Of the three pieces of each channel, a million times their cost of one msat: in ppm like the fee.
        capacity_msat = np.maximum(network.capacity_msat[usable], 1)
        cost_median = float(np.median(np.concatenate([slope * 1e6 / capacity_msat for slope in SLOPES])))
        ratio = fee_median / cost_median if cost_median > 1e-20 else 1.0
    return Terms(
        int(Rule.CLN_ASKRENE),
        fee_weight=mu / 1e6,
        log_weight=float((100 - mu) * ratio),
        base_fee_weight=base_fee_weight,
        delay_weight=delay_weight,
        memory_ns=float(ns(settings.memory_s)),
    )
