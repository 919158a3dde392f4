"""What CLoTH's payers learn of pairs of nodes, and the probabilities that follow; compiled.

`search.Belief` is the readable twin. Payers share nothing.
"""

from numba import njit

from l2sim.systems.lightning.cloth.memory import Floats, Memory
from l2sim.systems.lightning.cloth.rules import APRIORI, KNOWN, RELAX_MS, Rules
from l2sim.systems.lightning.cloth.tables import Int32s, Int64s, Whole


@njit()
def _row(memory: Memory, payer: Whole, source: Whole, target: Whole) -> Whole:
    """The payer's row for a pair, made if there is none; of a new one, `failed_ms` and both amounts are 0."""
    row: Whole = memory.first[payer]
    while row >= 0:
        if memory.source[row] == source and memory.target[row] == target:
            return row
        row = memory.next[row]
    row = memory.used[0]
    memory.used[0] += 1
    memory.source[row] = source
    memory.target[row] = target
    memory.success_msat[row] = 0
    memory.failure_msat[row] = 0
    memory.failed_ms[row] = 0
    memory.next[row] = -1
    if memory.first[payer] < 0:
        memory.first[payer] = row
    else:
        memory.next[memory.last[payer]] = row
    memory.last[payer] = row
    return row


@njit()
def record_success(memory: Memory, payer: Whole, source: Whole, target: Whole, amount_msat: Whole) -> None:
    """An amount went from `source` to `target`."""
    row = _row(memory, payer, source, target)
    memory.success_msat[row] = max(memory.success_msat[row], amount_msat)
    if memory.failed_ms[row] != 0 and amount_msat > memory.failure_msat[row]:
        memory.failure_msat[row] = amount_msat + 1


@njit()
def record_failure(
    memory: Memory,
    rules: Rules,
    payer: Whole,
    source: Whole,
    target: Whole,
    amount_msat: Whole,
    now_ms: Whole,
) -> None:
    """An amount did not."""
    known = memory.used[0]
    row = _row(memory, payer, source, target)
    blocks = row < known and (memory.failed_ms[row] != 0 or not rules.fresh_records)
    if blocks and amount_msat > memory.failure_msat[row] and now_ms - memory.failed_ms[row] < RELAX_MS:
        return  # of a record without a failure, defect D9
    memory.failure_msat[row] = amount_msat
    memory.failed_ms[row] = now_ms
    if amount_msat <= memory.success_msat[row]:
        memory.success_msat[row] = max(amount_msat - 1, 0)


@njit()
def penalty(age_ms: Whole, half_life_ms: float) -> float:
    """How much of a failure is left after that time."""
    return float(2.0 ** (-age_ms / half_life_ms))


@njit()
def node_probability(memory: Memory, row: Whole, amount_msat: Whole) -> float:
    """The probability of a hop from a node, from all that is known of its pairs: rows linked from `row` on."""
    total = APRIORI
    weights = 1.0
    while row >= 0:
        if memory.success_msat[row] >= amount_msat:
            total += KNOWN
            weights += 1.0
        if memory.failed_ms[row] != 0 and amount_msat >= memory.failure_msat[row]:
            weights += memory.left[row]
        row = memory.next_of_node[row]
    return total / weights


@njit()
def hop_probability(memory: Memory, rules: Rules, row: Whole, target: Whole, own: bool, amount_msat: Whole) -> float:
    """The probability of a hop from a node of which something is known, to `target`; `own` if it is the payer's.

    What is known of this very pair counts for every amount (defect D3), or only for the amounts that it is about. The
    payer knows its own balances: for its own hops a failure counts for every amount in any case, as lnd has it.
    """
    by_amount = rules.pair_by_amount and not own
    factor = 1.0
    other = row
    while other >= 0:
        if memory.target[other] == target:
            if by_amount and memory.success_msat[other] >= amount_msat:
                return KNOWN
            if memory.failed_ms[other] != 0 and not (by_amount and amount_msat < memory.failure_msat[other]):
                factor -= memory.left[other]
        other = memory.next_of_node[other]
    if own:
        return KNOWN * factor
    return node_probability(memory, row, amount_msat) * factor


@njit()
def most_probable(memory: Memory, rules: Rules, row: Whole, amount_msat: Whole) -> float:
    """The most that a hop of this amount or more from a node can have, whatever its target."""
    other = row
    while rules.pair_by_amount and other >= 0:
        if memory.success_msat[other] >= amount_msat:
            return KNOWN
        other = memory.next_of_node[other]
    return node_probability(memory, row, amount_msat)


@njit()
def recall(
    memory: Memory,
    rules: Rules,
    payer: Whole,
    amount_msat: Whole,
    now_ms: Whole,
    known: Int64s,
    known_first: Int32s,
    known_chance: Floats,
    mark: Whole,
    rest: Floats,
    best: Floats,
) -> bool:
    """Link what the payer knows by node, and set the best probabilities of the rest of a route.

    `known[node]` becomes `mark` where something is known, in rows from `known_first[node]` on
    and with at most `known_chance[node]` for a hop. `best` becomes
    the most that a hop can have, of the best node and the next ones, and `rest[h]` the most that h hops from the
    payer can. Returns whether anything is known.
    """
    deepest = len(best)
    best[:] = APRIORI
    row = memory.first[payer]
    remembers = bool(row >= 0)
    while row >= 0:
        node = memory.source[row]
        memory.next_of_node[row] = -1
        memory.left[row] = 0.0
        if memory.failed_ms[row] != 0:
            memory.left[row] = penalty(now_ms - memory.failed_ms[row], rules.half_life_ms)
        if known[node] != mark:
            known[node] = mark
            known_first[node] = row
        else:
            last = known_first[node]
            while memory.next_of_node[last] >= 0:
                last = memory.next_of_node[last]
            memory.next_of_node[last] = row
        row = memory.next[row]
    row = memory.first[payer]
    while row >= 0:
        node = memory.source[row]
        if known_first[node] == row and node != payer:
            chance = known_chance[node] = most_probable(memory, rules, row, amount_msat)
            for i in range(deepest):
                if chance > best[i]:
                    chance, best[i] = best[i], chance
        row = memory.next[row]
    rest[0] = 1.0
    rest[1] = KNOWN
    for i in range(deepest):
        rest[i + 2] = rest[i + 1] * best[i]
    return remembers
