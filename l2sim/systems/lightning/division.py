"""How an amount that no route takes is divided into parts."""

from collections.abc import Mapping

from l2sim.systems.lightning.routing import Route, RoutingTable


def halves_msat(amount_msat: int) -> tuple[int, int]:
    """Two halves, the second larger by what does not divide (LND routing/payment_session.go).

    >>> halves_msat(7)
    (3, 4)
    """
    return amount_msat // 2, amount_msat - amount_msat // 2


def fair_share_msat(amount_msat: int, parts: int, least_msat: int) -> int:
    """What each of so many parts must carry on average, rounded up, and no less than the least.

    Where no route takes that much, no so many routes take the amount.

    >>> fair_share_msat(100, 3, 10), fair_share_msat(100, 50, 10)
    (34, 10)
    """
    return max(least_msat, -(-amount_msat // parts))


def capacity_msat(table: RoutingTable, route: Route, own_limit_msat: int, taken_msat: Mapping[int, int]) -> int:
    """The most that can reach the payee over a route, by what its channels announce and the payer's own holds.

    `taken_msat` is what the payer's other parts have under way over each edge. Each channel must carry the amount
    and the fees of those after it.
    """
    network = table.network
    most_msat = own_limit_msat
    for edge in route.edges[1:]:
        position = int(table.position[edge])
        passed_msat = (most_msat - int(network.base_fee_msat[position])) * 1_000_000
        passed_msat //= 1_000_000 + int(network.fee_ppm[position])
        most_msat = min(passed_msat, int(network.limit_msat[position]) - taken_msat.get(edge, 0))
    return most_msat
