"""Numbers as people read them."""

import math

SECONDS = ((86_400.0, "d"), (3_600.0, "h"), (60.0, "min"), (1.0, "s"), (1e-3, "ms"), (1e-6, "µs"))


def seconds(value: float | None) -> str:
    """A duration with three figures and the unit that suits it.

    >>> seconds(0.0123), seconds(0.9999), seconds(90), seconds(604_800), seconds(None)
    ('12.3 ms', '1000 ms', '1.5 min', '7 d', '–')
    """
    if value is None:
        return "–"
    for size, unit in SECONDS:
        if abs(value) >= size:
            figures = f"{value / size:.3g}"
            return f"{float(figures):.0f} {unit}" if "e" in figures else f"{figures} {unit}"
    return "0 s" if value == 0 else f"{value:.2g} s"


def usd(value: float | None) -> str:
    """US dollars with three figures; whole cents from one dollar on.

    >>> usd(1234.5), usd(0.01234), usd(0), usd(None)
    ('$1,234.50', '$0.0123', '$0', '–')
    """
    if value is None:
        return "–"
    sign, size = ("−" if value < 0 else ""), abs(value)
    if size == 0:
        return "$0"
    if size >= 1:
        return f"{sign}${size:,.2f}"
    digits = 2
    while size < 10.0 ** (2 - digits) and digits < 12:
        digits += 1
    return f"{sign}${size:.{digits}f}"


def usd_tick(value: float) -> str:
    """US dollars as short as they can be, for the ticks of an axis.

    >>> usd_tick(0.001), usd_tick(100), usd_tick(0.25)
    ('$0.001', '$100', '$0.25')
    """
    return f"${value:,.10f}".rstrip("0").rstrip(".")


def share(value: float | None) -> str:
    """A share as per cent.

    >>> share(0.98765), share(0.99991), share(1.0)
    ('98.8 %', '99.99 %', '100 %')
    """
    if value is None:
        return "–"
    if 0.9995 <= value < 1:  # all but a few is not all
        return f"{math.floor(10_000 * value) / 100:.2f} %"
    return f"{100 * value:.3g} %"


def number(value: float | None) -> str:
    """A number with thousands separated, three figures if it is not whole.

    >>> number(1234567), number(0.12345), number(None)
    ('1,234,567', '0.123', '–')
    """
    if value is None:
        return "–"
    if float(value).is_integer() or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def key_words(key: str) -> str:
    """A varied key as axes and tables name it: its last two parts.

    >>> key_words("workload.arrivals.rate_per_s"), key_words("seed")
    ('arrivals.rate_per_s', 'seed')
    """
    return ".".join(key.split(".")[-2:])
