"""Channels that one side forces on chain for reasons of its own: lost data, bugs, a peer that is gone."""

from typing import Final

from l2sim.engine import NS_PER_S, Environment, Stream
from l2sim.systems.lightning.onchain.force_close import ForceCloses
from l2sim.systems.lightning.state import Phase

YEAR_NS: Final = 365 * 86_400 * NS_PER_S


class Failures:
    """Forces channels at random: each open one at the same rate, either side alike."""

    def __init__(self, environment: Environment, per_year: float, home: ForceCloses, stream: Stream) -> None:
        self._environment = environment
        self._mean_ns = YEAR_NS / per_year / len(home.state.phase)
        self._home = home
        self._stream = stream

    def start(self) -> None:
        """Begin."""
        self._environment.call_in(self._stream.exponential_ns(max(1, round(self._mean_ns))), self._fail)

    def _fail(self) -> None:
        """One channel's time has come; where it is not open, or its HTLCs must not be left, nothing happens."""
        if self._home.quiet:
            return
        self.start()
        phase = self._home.state.phase
        channel = int(self._stream.uniform() * len(phase))
        side = int(self._stream.uniform() < 0.5)
        if phase[channel] == Phase.OPEN:
            self._home.force(channel, side)
