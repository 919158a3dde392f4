"""The names of the corrections, for whoever only lists them."""

from typing import Final

CORRECTIONS: Final = {
    "intervals": "D1: 95 % intervals with the quantile 2.0452 instead of 0.0633",
    "half-life": "D2: the penalty of a failure halves in an hour, as lnd's default has it, instead of 24 minutes",
    "pair-amount": "D3: what is known of a pair of nodes counts for the amounts that it is about",
    "live-routes": "D4: first routes are searched when their payments begin, not all at time 0",
    "atomic": "D5: halves of a split payment are settled together or not at all",
    "parts": "D5: what finds no route is halved at any attempt, into 16 parts of 10,000 sat or more, as lnd does",
    "amounts": "D6: amounts are log-normal about the file's, of the same mean (sigma 1.2)",
    "latency": "D6: a hop's time is log-normal, of the same mean (sigma 0.5)",
    "offline": "D7: nodes, payees too, go offline for 30 minutes on average, for the same share of time",
    "records": "D8, D9: a record of a success alone does not keep a failure from being recorded",
    "timeouts": "D10: a payment ends 60 s after it began, and its payee refuses what arrives later",
}
"""Names, and what each puts right."""

ALL: Final = "all"
