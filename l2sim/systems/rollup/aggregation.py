"""Signatures that add up to one, where a rollup really makes them: an extra brings them."""

from types import ModuleType

from l2sim.errors import MissingExtraError


def bls_signatures(setting: str) -> ModuleType:
    """`l2sim.crypto.signatures.bls`; raises MissingExtraError, naming the setting that asks for it, where it cannot be.

    Asked for when a system is built, so that a run without the extra is refused before its first event.
    """
    try:
        from l2sim.crypto.signatures import bls
    except ImportError as error:
        raise MissingExtraError(
            f"{setting} with crypto: real needs py-arkworks-bls12381, which is not installed; install it with: "
            "pip install 'l2sim[bls]'"
        ) from error
    return bls
