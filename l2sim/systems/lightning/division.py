"""How an amount that no route takes is divided into parts."""

from collections.abc import Callable, Sequence

from l2sim.systems.lightning.routing import RoutingTable


def fair_share_msat(amount_msat: int, parts: int, least_msat: int) -> int:
    """What each of so many parts must carry on average, rounded up, and no less than the least.

    Where no route takes that much, no so many routes take the amount.

    >>> fair_share_msat(100, 3, 10), fair_share_msat(100, 50, 10)
    (34, 10)
    """
    return max(least_msat, -(-amount_msat // parts))


def capacity_msat(
    table: RoutingTable, edges: Sequence[int], own_limit_msat: int, room_msat: Callable[[int], int]
) -> int:
    """The most that can reach the payee over a way, by what the payer's own channel and the others have room for.

    `room_msat` tells it of each edge but the first. Each channel must carry the amount and the fees of those after
    it; 0 or less if it cannot carry even those.
    """
    network = table.network
    most_msat = own_limit_msat
    for edge in edges[1:]:
        position = int(table.position[edge])
        passed_msat = (most_msat - int(network.base_fee_msat[position])) * 1_000_000
        passed_msat //= 1_000_000 + int(network.fee_ppm[position])
        most_msat = min(passed_msat, room_msat(edge))
    return most_msat


def walk(table: RoutingTable, edges: Sequence[int], amount_msat: int) -> list[int]:
    """What each channel of a way carries so that the amount reaches the payee (BOLT 7)."""
    network = table.network
    amounts_msat = [amount_msat]
    for edge in reversed(edges[1:]):
        position = int(table.position[edge])
        passed_msat = amounts_msat[-1]
        fee_msat = int(network.base_fee_msat[position]) + passed_msat * int(network.fee_ppm[position]) // 1_000_000
        amounts_msat.append(passed_msat + fee_msat)
    return amounts_msat[::-1]
