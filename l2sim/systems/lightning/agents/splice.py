"""What splices weigh, with 73-byte signatures in the old funding's witness and P2WPKH witnesses of 108 (BIP 141)."""

from typing import Final

SPLICE_IN_WU: Final = 610 + 4 * 41 + 222  # beside the wallet's input the old 2-of-2, witness 222 (BOLT 3)
SPLICE_OUT_WU: Final = 4 * (4 + 1 + 41 + 1 + 43 + 31 + 4) + 2 + 222  # the old 2-of-2 in, the new one and P2WPKH out
SIGNATURES_IN: Final = 3  # both sides for the old funding, one for the coin
SIGNATURES_OUT: Final = 2
