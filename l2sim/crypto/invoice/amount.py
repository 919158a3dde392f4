"""The readable prefix of an invoice: `ln`, the network, and the amount in whole units of a multiplier.

>>> write_prefix("bc", 250_000_000)
'lnbc2500u'
>>> read_prefix("lnbc9678785340p")
('bc', 967878534)
"""

__all__ = ["AMOUNT_LIMIT_MSAT", "NETWORKS", "read_prefix", "write_prefix"]

NETWORKS = ("bcrt", "tbs", "bc", "tb")  # regtest, signet, mainnet, testnet; the longer ones are looked for first

AMOUNT_LIMIT_MSAT = 1 << 64  # amounts are u64 in Lightning's messages (BOLT 2, `amount_msat`)

# One unit of each multiplier in tenths of a millisatoshi: a pico-bitcoin is one such tenth (BOLT 11).
_DIGITS_MOST = 21  # of the largest amount in tenths of a millisatoshi
_UNIT_TENTHS = {"": 10**12, "m": 10**9, "u": 10**6, "n": 10**3, "p": 1}


def write_prefix(network: str, amount_msat: int | None) -> str:
    """Return the prefix with the amount in the largest unit that holds it exactly; None leaves it out.

    Raises ValueError for an unknown network or an amount that is not from 1 to 2**64 - 1.
    """
    if network not in NETWORKS:
        raise ValueError(f"network: must be one of {', '.join(NETWORKS)} (got {network!r})")
    if amount_msat is None:
        return "ln" + network
    _check_amount(amount_msat)
    tenths = 10 * amount_msat
    multiplier, unit = next((name, unit) for name, unit in _UNIT_TENTHS.items() if tenths % unit == 0)
    return f"ln{network}{tenths // unit}{multiplier}"


def read_prefix(prefix: str) -> tuple[str, int | None]:
    """Return network and amount in millisatoshi (None where it is left open) of a prefix in lower case.

    Raises ValueError where the network is unknown, or the amount is not a positive whole number without leading
    zeros and an optional multiplier, or not whole millisatoshi.
    """
    network = next((name for name in NETWORKS if prefix.startswith("ln" + name)), None)
    if network is None:
        raise ValueError(f"prefix: must be ln and one of {', '.join(NETWORKS)} (got {prefix!r})")
    written = prefix[2 + len(network) :]
    if not written:
        return network, None
    digits = written.rstrip("abcdefghijklmnopqrstuvwxyz")
    multiplier = written[len(digits) :]
    if multiplier not in _UNIT_TENTHS:
        raise ValueError(f"amount: its multiplier must be one of m, u, n, p or none (got {written!r})")
    if not (digits.isascii() and digits.isdigit()) or digits.startswith("0"):
        raise ValueError(f"amount: must be a positive whole number without leading zeros (got {written!r})")
    if len(digits) > _DIGITS_MOST:
        raise ValueError(f"amount: must have at most {_DIGITS_MOST} digits (got {len(digits)})")
    tenths = int(digits) * _UNIT_TENTHS[multiplier]
    if tenths % 10:
        raise ValueError(f"amount: must be whole millisatoshi, so pico-bitcoin must end in 0 (got {written!r})")
    _check_amount(tenths // 10)
    return network, tenths // 10


def _check_amount(amount_msat: int) -> None:
    if not 0 < amount_msat < AMOUNT_LIMIT_MSAT:
        raise ValueError(f"amount_msat: must be from 1 to 2**64 - 1 (got {amount_msat})")
