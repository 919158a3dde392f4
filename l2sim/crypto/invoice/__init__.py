"""Lightning invoices as text (BOLT 11): written, signed, read and checked.

- `bech32`: the text form and its checksum (BIP 173)
- `amount`: the readable prefix, which holds network and amount
- `fields`: what the tagged fields hold
- `bolt11`: `Invoice`, `encode_invoice`, `decode_invoice`

Importing this package imports none of its modules.
"""
