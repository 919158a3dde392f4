"""The settings of a workload: users, arrivals, amounts, who pays whom, and the funds users bring."""

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from l2sim.config import Config
from l2sim.money import MSAT_PER_SAT, Prices
from l2sim.workload.distributions import MAX_AMOUNT_MSAT, Classes, Constant, Distribution, LogNormal, Uniform

MAX_PAYMENTS = 50_000_000
"""More payments than this do not fit in the memory of a usual machine."""

Usd = Annotated[float, Field(gt=0, le=1e12)]
Sat = Annotated[int, Field(gt=0, le=MAX_AMOUNT_MSAT // MSAT_PER_SAT)]


class PoissonArrivals(Config):
    """Payments come independently of each other, at that mean rate."""

    kind: Literal["poisson"] = "poisson"
    rate_per_s: float = Field(gt=0, le=1e9)
    """Mean number of payments a second, all users together."""


class ConstantArrivals(Config):
    """Payments come at equal intervals, the first at the start."""

    kind: Literal["constant"]
    rate_per_s: float = Field(gt=0, le=1e9)
    """Payments a second, all users together."""


class TraceArrivals(Config):
    """Payments are read from a file: when, who, whom and how much."""

    kind: Literal["trace"]
    path: str = Field(min_length=1)
    """CSV (plain or .gz) or Parquet file with the columns time_ns or time_s, payer, payee, and amount_msat,
    amount_sat or amount_usd."""


ArrivalsConfig = Annotated[PoissonArrivals | ConstantArrivals | TraceArrivals, Field(discriminator="kind")]


class AmountConfig(Config):
    """Amounts whose every quantity is given in dollars (`..._usd`) or in satoshi (`..._sat`), never in both."""

    needed: ClassVar[tuple[str, ...]]
    optional: ClassVar[tuple[str, ...]] = ()

    @model_validator(mode="after")
    def _one_unit_each(self) -> Self:
        faults = []
        for quantity in self.needed + self.optional:
            names = _unit_names(quantity)
            given = [name for name in names if getattr(self, name) is not None]
            if len(given) == 2:
                faults.append(f"only one of {names[0]} and {names[1]}")
            if not given and quantity in self.needed:
                faults.append(f"one of {names[0]} and {names[1]}")
        if faults:
            raise ValueError(f"must have {', and '.join(faults)}")
        return self

    def _msat(self, quantity: str, prices: Prices, default: int | None = None) -> int:
        usd, sat = (getattr(self, name) for name in _unit_names(quantity))
        if usd is not None:
            return prices.usd_to_msat(usd)
        if sat is not None:
            return int(sat) * MSAT_PER_SAT
        if default is None:
            raise ValueError(f"{quantity} has neither dollars nor satoshi")
        return default


def _unit_names(quantity: str) -> tuple[str, str]:
    return (f"{quantity}_usd", f"{quantity}_sat") if quantity else ("usd", "sat")


class ConstantAmount(AmountConfig):
    """Always the same amount."""

    needed = ("",)
    kind: Literal["constant"]
    usd: Usd | None = None
    """The amount in US dollars."""
    sat: Sat | None = None
    """The amount in satoshi."""

    def distribution(self, prices: Prices) -> Distribution:
        """The distribution in msat; raises ValueError when an amount is out of range at these prices."""
        return Constant(self._msat("", prices))


class UniformAmount(AmountConfig):
    """Every amount between two bounds as likely."""

    needed = ("low", "high")
    kind: Literal["uniform"]
    low_usd: Usd | None = None
    """The least amount in US dollars."""
    low_sat: Sat | None = None
    """The least amount in satoshi."""
    high_usd: Usd | None = None
    """The greatest amount in US dollars."""
    high_sat: Sat | None = None
    """The greatest amount in satoshi."""

    def distribution(self, prices: Prices) -> Distribution:
        """The distribution in msat; raises ValueError when its bounds are out of range or order at these prices."""
        return Uniform(self._msat("low", prices), self._msat("high", prices))


class LogNormalAmount(AmountConfig):
    """Many small and few large amounts: the logarithm is normal; draws outside the bounds are made again."""

    needed = ("median",)
    optional = ("min", "max")
    kind: Literal["lognormal"]
    median_usd: Usd | None = None
    """The median in US dollars, before the bounds."""
    median_sat: Sat | None = None
    """The median in satoshi, before the bounds."""
    sigma: float = Field(gt=0, le=10)
    """Standard deviation of the natural logarithm of the amount."""
    min_usd: Usd | None = None
    """No amount is below this many US dollars."""
    min_sat: Sat | None = None
    """No amount is below this many satoshi."""
    max_usd: Usd | None = None
    """No amount is above this many US dollars."""
    max_sat: Sat | None = None
    """No amount is above this many satoshi."""

    def distribution(self, prices: Prices) -> Distribution:
        """The distribution in msat; raises ValueError when its bounds leave almost nothing at these prices."""
        median, low = self._msat("median", prices), self._msat("min", prices, 1)
        return LogNormal(median, self.sigma, low, self._msat("max", prices, MAX_AMOUNT_MSAT))


class AmountClass(AmountConfig):
    """One class of a table of amounts."""

    needed = ("low", "high")
    low_usd: Usd | None = None
    """The least amount of the class in US dollars."""
    low_sat: Sat | None = None
    """The least amount of the class in satoshi."""
    high_usd: Usd | None = None
    """The greatest amount of the class in US dollars."""
    high_sat: Sat | None = None
    """The greatest amount of the class in satoshi."""
    weight: float = Field(gt=0, le=1e12)
    """How often the class comes, compared with the others."""

    def bounds_msat(self, prices: Prices) -> tuple[int, int]:
        """The least and the greatest amount in msat."""
        return self._msat("low", prices), self._msat("high", prices)


class EmpiricalAmount(Config):
    """Amounts by the classes of a table, such as a payment survey; uniform inside each class."""

    kind: Literal["empirical"]
    classes: tuple[AmountClass, ...] = Field(min_length=1, max_length=1000)
    """The classes, each with bounds and a weight."""

    def distribution(self, prices: Prices) -> Distribution:
        """The distribution in msat; raises ValueError when bounds are out of range or order at these prices."""
        bounds = [entry.bounds_msat(prices) for entry in self.classes]
        lows, highs = zip(*bounds, strict=True)
        return Classes(lows, highs, tuple(entry.weight for entry in self.classes))


AmountsConfig = Annotated[
    ConstantAmount | UniformAmount | LogNormalAmount | EmpiricalAmount, Field(discriminator="kind")
]


class UniformPairs(Config):
    """Every user pays every other user as often."""

    kind: Literal["uniform"]


class ZipfPairs(Config):
    """Every user pays as often; the k-th in a random order of popularity is paid in proportion to k**-exponent."""

    kind: Literal["zipf"]
    exponent: float = Field(default=1.0, ge=0, le=5)
    """How unequal popularity is: 0 for equal, 1 for Zipf's law."""


class MerchantPairs(Config):
    """Some users are merchants and only receive; all others pay."""

    kind: Literal["merchants"]
    merchants_share: float = Field(default=0.1, gt=0, lt=1)
    """Which part of the users are merchants; at least one user is and at least one is not."""
    payments_share: float = Field(default=1.0, ge=0, le=1)
    """Which part of the payments goes to a merchant; the others go to another user who is none."""
    exponent: float = Field(default=0.0, ge=0, le=5)
    """How unequal the merchants' popularity is: 0 for equal, 1 for Zipf's law."""


PairsConfig = Annotated[UniformPairs | ZipfPairs | MerchantPairs, Field(discriminator="kind")]


class WorkloadConfig(Config):
    """Who pays whom, when, how much; drawn once and sent through every system."""

    users: int = Field(ge=2, le=10_000_000)
    """Number of users; each is on-boarded to every system."""
    duration_s: float | None = Field(default=None, gt=0, le=1e9)
    """How long payments come, in seconds; with a trace, later payments are left out."""
    payments: int | None = Field(default=None, ge=1, le=MAX_PAYMENTS)
    """How many payments come, instead of `duration_s`; the payment phase ends with the last."""
    arrivals: ArrivalsConfig
    """When payments come."""
    amounts: AmountsConfig | None = None
    """How much is paid; not with a trace."""
    pairs: PairsConfig | None = None
    """Who pays whom; uniform when left out; not with a trace."""
    funds: AmountsConfig
    """What each user brings to every system."""

    @model_validator(mode="after")
    def _says_no_more_than_its_trace(self) -> Self:
        if isinstance(self.arrivals, TraceArrivals):
            names = [name for name in ("amounts", "pairs", "payments") if getattr(self, name) is not None]
            if names:
                raise ValueError(f"must not have {', '.join(names)} when arrivals are a trace: the file says so")
        return self

    @model_validator(mode="after")
    def _has_amounts(self) -> Self:
        if not isinstance(self.arrivals, TraceArrivals) and self.amounts is None:
            raise ValueError("must have amounts unless arrivals are a trace")
        return self

    @model_validator(mode="after")
    def _ends(self) -> Self:
        if not isinstance(self.arrivals, TraceArrivals) and (self.duration_s is None) == (self.payments is None):
            raise ValueError("must have exactly one of duration_s and payments")
        return self

    @model_validator(mode="after")
    def _is_of_a_size(self) -> Self:
        if isinstance(self.arrivals, TraceArrivals):
            return self
        if self.duration_s is not None and self.duration_s * self.arrivals.rate_per_s > MAX_PAYMENTS:
            raise ValueError(
                f"duration_s times arrivals.rate_per_s must be at most {MAX_PAYMENTS} payments "
                f"(got {self.duration_s * self.arrivals.rate_per_s:g})"
            )
        if self.payments is not None and self.payments / self.arrivals.rate_per_s > 1e9:
            raise ValueError(
                f"payments over arrivals.rate_per_s must be at most 1e9 seconds "
                f"(got {self.payments / self.arrivals.rate_per_s:g})"
            )
        return self

    @model_validator(mode="after")
    def _has_users_for_its_pairs(self) -> Self:
        if isinstance(self.pairs, MerchantPairs) and self.pairs.payments_share < 1 and self.users < 3:
            raise ValueError(f"users must be at least 3 when not every payment goes to a merchant (got {self.users})")
        return self
