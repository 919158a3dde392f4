"""A Bitcoin wallet: confirmed coins, and which of them a payment spends."""

from bisect import insort

from l2sim.crypto.bitcoin.p2wpkh import Coin

MOST_INPUTS = 100
"""Inputs a wallet puts into one payment at most; keeps it far below the 400,000 wu of a standard transaction."""


class Wallet:
    """The confirmed coins of one user, from small to large.

    A wallet spends only confirmed coins, so no payment ever depends on an unconfirmed one.
    """

    __slots__ = ("_coins", "confirmed_sat", "public_key", "script", "unconfirmed_sat")

    def __init__(self, public_key: bytes, script: bytes) -> None:
        self.public_key = public_key
        self.script = script
        self.confirmed_sat = 0
        self.unconfirmed_sat = 0
        """Change and incoming payments that wait for a block."""
        self._coins: list[tuple[int, bytes, int, Coin]] = []

    def add(self, coin: Coin) -> None:
        """Take in a coin that is confirmed."""
        insort(self._coins, (coin.value_sat, coin.outpoint.txid, coin.outpoint.vout, coin))
        self.confirmed_sat += coin.value_sat

    def choose(self, need_sat: tuple[int, ...]) -> list[Coin] | None:
        """The coins for a payment that needs `need_sat[n - 1]` with n inputs, or None if they do not suffice.

        The smallest single coin that covers it, so that coins do not splinter; otherwise the largest ones.
        """
        for value_sat, _, _, coin in self._coins:
            if value_sat >= need_sat[0]:
                return [coin]
        chosen: list[Coin] = []
        total_sat = 0
        for value_sat, _, _, coin in reversed(self._coins[-len(need_sat) :]):
            chosen.append(coin)
            total_sat += value_sat
            if total_sat >= need_sat[len(chosen) - 1]:
                return chosen
        return None

    def spend(self, coins: list[Coin]) -> None:
        """Take these coins out of the wallet."""
        for coin in coins:
            self._coins.remove((coin.value_sat, coin.outpoint.txid, coin.outpoint.vout, coin))
            self.confirmed_sat -= coin.value_sat

    def __len__(self) -> int:
        return len(self._coins)
