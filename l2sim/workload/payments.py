"""A workload: who pays whom, when, how much, drawn once and sent through every system."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Workload:
    """The payments of a run as columns in order of time, and the users who make them.

    `time_ns` counts from the start of the payment phase and never falls; `payer` and `payee` are user numbers
    in 0..users-1 and differ in every row; `amount_msat` is at least 1. `funds_msat` is what each user
    brings to every system. All arrays are read-only.
    """

    time_ns: npt.NDArray[np.int64]
    payer: npt.NDArray[np.int32]
    payee: npt.NDArray[np.int32]
    amount_msat: npt.NDArray[np.int64]
    funds_msat: npt.NDArray[np.int64]

    def __post_init__(self) -> None:
        for array in (self.time_ns, self.payer, self.payee, self.amount_msat, self.funds_msat):
            array.flags.writeable = False

    def __len__(self) -> int:
        return len(self.time_ns)

    def columns(self) -> dict[str, npt.NDArray[np.integer[Any]]]:
        """What result tables repeat of each payment."""
        return {"payer": self.payer, "payee": self.payee, "amount_msat": self.amount_msat}

    @property
    def users(self) -> int:
        """How many users there are."""
        return len(self.funds_msat)
