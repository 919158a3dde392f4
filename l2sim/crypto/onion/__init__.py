"""Onions of Lightning payments: packets built and peeled, what each hop reads, and failures on their way back (BOLT 4).

Importing this package imports none of its modules.
"""
