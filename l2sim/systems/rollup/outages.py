"""Times in which a part of a rollup stands still: the sequencer, the batcher, the provers, the watcher."""

from collections.abc import Sequence

from l2sim.engine import ns
from l2sim.systems.rollup.outage_config import OutageConfig


class Outages:
    """When a part works and when not.

    >>> outages = Outages([OutageConfig(start_s=1, duration_s=10)], payments_ns=0)
    >>> outages.after(2 * 10**9), outages.finish_ns(0, 3 * 10**9)
    (11000000000, 13000000000)
    """

    def __init__(self, outages: Sequence[OutageConfig], payments_ns: int) -> None:
        """`payments_ns` is the start of the payments, from which outages are counted."""
        self.spans = [
            (payments_ns + ns(outage.start_s), payments_ns + ns(outage.start_s + outage.duration_s))
            for outage in outages
        ]
        """Begin and end of each, ns."""

    def after(self, time_ns: int) -> int:
        """That time, or the end of the outage in which it lies."""
        for begin_ns, end_ns in self.spans:
            if begin_ns <= time_ns < end_ns:
                return end_ns
        return time_ns

    def finish_ns(self, start_ns: int, service_ns: int) -> int:
        """When work that takes so long is done if it begins then; outages are left out."""
        at_ns, left_ns = start_ns, service_ns
        for begin_ns, end_ns in self.spans:
            if end_ns <= at_ns:
                continue
            if at_ns + left_ns <= begin_ns:
                break
            left_ns -= max(0, begin_ns - at_ns)
            at_ns = end_ns
        return at_ns + left_ns
