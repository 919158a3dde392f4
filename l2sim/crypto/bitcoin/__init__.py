"""Bitcoin transactions as payments and payment channels need them: bytes, weights, digests, scripts, BOLT 3.

Transaction ids and block hashes are held in the order that is hashed and serialised; only `display_id` reverses
them. Scripts and keys are plain `bytes`. Importing this package imports none of its modules.
"""
