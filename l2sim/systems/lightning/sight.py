"""Looking for routes in the view that a payer has: that of its class, and what refusals told it besides."""

from contextlib import nullcontext

from l2sim.systems.lightning.flow.planning import Planner
from l2sim.systems.lightning.payer_config import Payer
from l2sim.systems.lightning.routing import Memory, OwnChannels, Query, Route, RoutingTable
from l2sim.systems.lightning.search import Searcher
from l2sim.systems.lightning.told import Announcing, Told
from l2sim.systems.lightning.views import Views


class Seer:
    """What looks for routes in one view."""

    def __init__(self, table: RoutingTable, settings: Payer, most_own: int) -> None:
        self.table = table
        self.searcher = Searcher(table, settings, most_own)
        self.planner = Planner(table, settings) if settings.multipath.split == "flow" else None

    @property
    def searches(self) -> int:
        """Path searches made."""
        return self.searcher.searches + (0 if self.planner is None else self.planner.searches)


class Sight:
    """All payers' views, and what looks for routes in them."""

    def __init__(self, views: Views, settings: Payer, most_own: int) -> None:
        self._views = views
        self._settings = settings
        self._seers = [Seer(table, settings, most_own) for table in views.tables]
        self.told: Told | None = None
        """What refusals told payers, of payers who look at that."""

    def listen(self, announcing: Announcing) -> None:
        """Take terms that come with refusals, as far as payers do; called once, before the first payment."""
        if self._settings.listens:
            self.told = Told(self._views, announcing)

    @property
    def searches(self) -> int:
        """Path searches made."""
        return sum(seer.searches for seer in self._seers)

    def of(self, payer: int) -> Seer:
        """What looks for that payer."""
        return self._seers[self._views.class_of[payer]]

    def find(
        self, query: Query, own: OwnChannels, known: tuple[Memory, int], avoided: list[int]
    ) -> tuple[Route | None, int]:
        """The best route that goes over none of the channels to be avoided, and what was pruned."""
        seer = self.of(query.payer)
        with (
            nullcontext() if self.told is None else self.told.seen_by(query.payer),
            seer.table.without(avoided) if avoided else nullcontext(),
        ):
            return seer.searcher.find(query, own, *known), seer.searcher.pruned
