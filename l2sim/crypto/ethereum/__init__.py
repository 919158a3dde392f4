"""Ethereum transactions as rollups and plain transfers need them: RLP, type-2 transactions, and whole batches of them.

Addresses are 20 bytes, amounts whole wei, signatures 65 bytes (r, s, recovery id). Importing this package imports
none of its modules.
"""
