"""Terms that refusals told payers: a node that refuses for its terms encloses its channel_update (BOLT 4).

LND and eclair take it for their own view, so that they know at once what gossip may bring them much later; the others
do not look at it. What a payer was told counts until gossip has brought it something as new.
"""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Final, Protocol

from l2sim.systems.lightning.refusals import Refusal
from l2sim.systems.lightning.routing import RoutingTable
from l2sim.systems.lightning.views import Views

Terms = tuple[int, int, int, int, int]
"""Base fee in msat, ppm, CLTV delta in blocks, smallest HTLC in msat, and the most it carries in msat."""

FOR_ITS_TERMS: Final = frozenset(
    {
        Refusal.AMOUNT_BELOW_MINIMUM,
        Refusal.FEE_INSUFFICIENT,
        Refusal.INCORRECT_CLTV_EXPIRY,
        Refusal.CHANNEL_DISABLED,
    }
)
"""Refusals that may come of an old view."""
COLUMNS: Final = ("base_fee_msat", "fee_ppm", "cltv_delta", "htlc_min_msat", "limit_msat")


class Announcing(Protocol):
    """What is announced, and how far it has spread."""

    def terms_of(self, edge: int) -> Terms:
        """The terms that the source of an edge would announce now."""
        ...

    def sent_of(self, edge: int) -> int:
        """The number of its last update."""
        ...

    def heard_of(self, view: int, edge: int) -> int:
        """The number of the newest update of an edge that a view has."""
        ...


class Told:
    """By payer what it was told of edges, and by which update."""

    def __init__(self, views: Views, announcing: Announcing) -> None:
        self._views = views
        self._announcing = announcing
        self._told: dict[int, dict[int, tuple[int, Terms]]] = {}

    def learn(self, payer: int, edge: int) -> bool:
        """The payer is told the terms of an edge; whether that is news to it."""
        view = self._views.class_of[payer]
        terms, number = self._announcing.terms_of(edge), self._announcing.sent_of(edge)
        told = self._told.setdefault(payer, {})
        known = told[edge][1] if edge in told else _read(self._views.tables[view], edge)
        if terms == known:
            return False
        told[edge] = (number, terms)
        return True

    def seen_by(self, payer: int) -> AbstractContextManager[None]:
        """While the context lasts, the payer's view says what it was told."""
        return self._seen_by(payer) if self._told.get(payer) else nullcontext()

    @contextmanager
    def _seen_by(self, payer: int) -> Iterator[None]:
        told, view = self._told[payer], self._views.class_of[payer]
        table = self._views.tables[view]
        for edge in [edge for edge, (number, _) in told.items() if self._announcing.heard_of(view, edge) >= number]:
            del told[edge]
        before = {edge: _read(table, edge) for edge in told}
        for edge, (_, terms) in told.items():
            table.update(edge, *terms)
        try:
            yield
        finally:
            for edge, terms in before.items():
                table.update(edge, *terms)


def _read(table: RoutingTable, edge: int) -> Terms:
    """What a view says of an edge that searches look at."""
    network, position = table.network, int(table.position[edge])
    base_fee_msat, ppm, delta, least_msat, limit_msat = (int(getattr(network, name)[position]) for name in COLUMNS)
    return base_fee_msat, ppm, delta, least_msat, limit_msat
