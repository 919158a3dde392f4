"""From a payer's settings to a policy: which cost function, with which numbers, and what is remembered."""

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
from l2sim.systems.lightning.policies.cln import MU_MAX, MUS, about, median_ratio
from l2sim.systems.lightning.policies.lnd import KNOWN_SUCCESS
from l2sim.systems.lightning.policies.terms import Rule, Terms
from l2sim.systems.lightning.routing import Network, RoutingTable

BILLION = 1_000_000_000
RISK_YEAR_BLOCKS = 52_596 * 100  # blocks of a year, for a risk factor in percent (CLN common/route.c)
DELAY_MSAT = 1e-6  # what a block of delay weighs, in msat (askrene)
MICRO_NATS = 1_000_000  # a nat, in the units of `uniform`


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


class Chooser:
    """Gives the numbers of one policy over one network, amount by amount."""

    def __init__(self, settings: Payer, network: Network) -> None:
        self._settings = settings
        self._network = network
        self._ratios: dict[int, float] = {}

    def terms(self, amount_msat: int) -> Terms:
        """The policy's numbers for a payment of that amount."""
        settings = self._settings
        if isinstance(settings, ClnPayer) and settings.search == "askrene":
            return self._askrene(settings, amount_msat, MUS[0])
        return terms_of(settings, amount_msat)

    def easier(self, terms: Terms, amount_msat: int, too_dear: bool) -> list[Terms]:
        """What the policy asks for, one after the other, when it found nothing, `too_dear` if fees were a reason."""
        settings = self._settings
        if terms.saturation_power:
            return [terms._replace(saturation_power=0)]
        if too_dear and isinstance(settings, ClnPayer) and settings.search == "askrene":
            return [self._askrene(settings, amount_msat, mu) for mu in MUS[1:]]
        return []

    def _askrene(self, settings: ClnPayer, amount_msat: int, mu: int) -> Terms:
        size_msat = about(amount_msat)
        if size_msat not in self._ratios:
            self._ratios[size_msat] = median_ratio(self._network, size_msat)
        return Terms(
            int(Rule.CLN_ASKRENE),
            fee_weight=float(mu),
            log_weight=float((MU_MAX - mu) * self._ratios[size_msat]),
            delay_weight=DELAY_MSAT,
            memory_ns=float(ns(settings.memory_s)),
        )


def terms_of(settings: Payer, amount_msat: int) -> Terms:
    """The numbers for a payment of that amount, of policies that do not look at the network for them."""
    match settings:
        case LndPayer():
            return _lnd(settings, amount_msat)
        case ClnPayer():
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
                fee_weight=settings.mu * MICRO_NATS * 100 / amount_msat,
                log_weight=float(MICRO_NATS),
                memory_ns=float(ns(settings.memory_s)),
            )
        case CheapestPayer():
            return Terms(
                int(Rule.CHEAPEST),
                inbound=1,
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
        together=1,
        own_probability=KNOWN_SUCCESS if settings.estimator == "apriori" else 1.0,
        inbound=1,
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
