"""Background demand from a file: what users wanted of each slot, in order."""

from pathlib import Path
from typing import NamedTuple

from l2sim.l1.ethereum.rows import read_cells

MOST_GAS = 10**13
MOST_BLOBS = 10_000
MOST_FEE_WEI = 10**18


class SlotDemand(NamedTuple):
    """What is wanted of one slot: gas if the base fee were `base_fee_wei` (None: the setting's), and blobs."""

    gas: int
    blobs: int
    base_fee_wei: int | None


def read_demand(path: str | Path) -> tuple[SlotDemand, ...]:
    """Read a CSV file with the columns gas and blobs, and base_fee_wei if it has it; a row a slot.

    gas: wanted in the slot, 0 to 10**13; blobs: wanted in the slot, 0 to 10,000; base_fee_wei: the base fee at which
    that much gas was wanted, 1 to 10**18. Other columns are passed over, so that a file of historical blocks serves
    with its columns renamed. Raises TraceError with path:line:column, the rule and the value.
    """
    rows = read_cells(Path(path), ("gas", "blobs"), ("base_fee_wei",))
    return tuple(
        SlotDemand(
            gas=cells["gas"].whole("gas", 0, MOST_GAS),
            blobs=cells["blobs"].whole("blobs", 0, MOST_BLOBS),
            base_fee_wei=cells["base_fee_wei"].whole("base_fee_wei", 1, MOST_FEE_WEI)
            if "base_fee_wei" in cells
            else None,
        )
        for cells in rows
    )
