"""MuSig2 (BIP-327): several signers, one aggregate key, one BIP-340 signature.

A signing goes so: everybody sends a public nonce; the nonces are aggregated; everybody sends a partial signature;
the partial signatures are aggregated into one that verifies as `schnorr.verify` does.

>>> from l2sim.crypto.signatures import keys, schnorr
>>> secrets = [bytes(31) + bytes([i]) for i in (1, 2)]
>>> signers = sort_keys([keys.public_key(secret) for secret in secrets])
>>> group = AggregateKey(signers)
>>> nonces = [make_nonce(bytes([i]) * 32, keys.public_key(secret)) for i, secret in enumerate(secrets, 1)]
>>> session = Session(group, aggregate_nonces([nonce.public for nonce in nonces]), bytes(32))
>>> parts = [session.sign(nonce, secret) for nonce, secret in zip(nonces, secrets)]
>>> schnorr.verify(bytes(32), session.aggregate(parts), group.x_only)
True

All of it runs in libsecp256k1, whose MuSig2 signs messages of 32 bytes.
"""

from collections.abc import Sequence

from l2sim.crypto.signatures._secp256k1 import (
    COMPACT_BYTES,
    CONTEXT,
    DIGEST_BYTES,
    NULL,
    SECRET_BYTES,
    CData,
    check_bytes,
    check_secret,
    ffi,
    find_public_key,
    lib,
    make_keypair,
    parse_public_key,
    serialize_public_key,
)

__all__ = [
    "AggregateKey",
    "ContributionError",
    "SecretNonce",
    "Session",
    "aggregate_nonces",
    "make_nonce",
    "sort_keys",
]

NONCE_BYTES = 66
"""A public or aggregate nonce: two compressed points (BIP-327, section "Nonce Generation")."""

PARTIAL_BYTES = 32
"""A partial signature: one number below n (BIP-327, section "Signing")."""


class ContributionError(ValueError):
    """What one signer (or, with `signer` None, the aggregator) sent cannot be used: BIP-327's blame.

    `contribution` is one of "pubkey", "pubnonce", "aggnonce" and "psig".
    """

    def __init__(self, signer: int | None, contribution: str, rule: str) -> None:
        super().__init__(signer, contribution, rule)
        self.signer = signer
        self.contribution = contribution
        self.rule = rule

    def __str__(self) -> str:
        whose = "the aggregator" if self.signer is None else f"signer {self.signer}"
        return f"{self.contribution} of {whose}: {self.rule}"


def sort_keys(public_keys: Sequence[bytes]) -> list[bytes]:
    """Return 33-byte public keys in the order of their bytes (BIP-327, KeySort); duplicates stay."""
    for i, key in enumerate(public_keys):
        parse_public_key(f"public_keys[{i}]", key)
    return sorted(public_keys)


class AggregateKey:
    """The one key of several signers; the order of `public_keys`, 33 bytes each, is part of it.

    Raises ContributionError naming the signer whose key is no point of the curve. Tweaks give a new object.
    """

    __slots__ = ("_cache", "_public_key", "_signers")

    def __init__(self, public_keys: Sequence[bytes]) -> None:
        signers = tuple(public_keys)
        if not signers:
            raise ValueError("public_keys: must be at least one (got none)")
        points = [_find_signer(i, key) for i, key in enumerate(signers)]
        cache = ffi.new("secp256k1_musig_keyagg_cache *")
        if not lib.secp256k1_musig_pubkey_agg(CONTEXT, NULL, cache, points, len(points)):
            shown = ", ".join(key.hex() for key in signers)
            raise ValueError(f"public_keys: their aggregate must not be the point at infinity (got {shown})")
        self._finish(cache, signers)

    def _finish(self, cache: CData, signers: tuple[bytes, ...]) -> None:
        point = ffi.new("secp256k1_pubkey *")
        lib.secp256k1_musig_pubkey_get(CONTEXT, point, cache)
        self._cache = cache
        self._signers = signers
        self._public_key = serialize_public_key(point)

    # libsecp256k1 ends the process where a signer is none of the cache's: so the keys can be read, never set.

    @property
    def signers(self) -> tuple[bytes, ...]:
        """The signers' public keys, in order."""
        return self._signers

    @property
    def public_key(self) -> bytes:
        """The aggregate key, tweaks included, as 33 bytes."""
        return self._public_key

    @property
    def x_only(self) -> bytes:
        """The key that the aggregate signature verifies under, 32 bytes."""
        return self.public_key[1:]

    def tweak(self, tweak: bytes, *, x_only: bool) -> "AggregateKey":
        """Return this key plus tweak * G; `x_only` as taproot tweaks (BIP-341), else plainly as BIP-32 does.

        Raises ValueError where the tweak is not below n or the sum is the point at infinity.
        """
        check_bytes("tweak", tweak, SECRET_BYTES)
        cache = ffi.new("secp256k1_musig_keyagg_cache *", self._cache[0])
        add = lib.secp256k1_musig_pubkey_xonly_tweak_add if x_only else lib.secp256k1_musig_pubkey_ec_tweak_add
        if not add(CONTEXT, NULL, cache, tweak):
            raise ValueError(
                f"tweak: must be below n and must not bring the sum to the point at infinity (got {tweak.hex()})"
            )
        tweaked = object.__new__(AggregateKey)
        tweaked._finish(cache, self._signers)
        return tweaked


class SecretNonce:
    """A signer's nonce for one signing, made by `make_nonce`: it signs once and is then gone.

    Signing twice with one nonce gives the secret away; so its numbers can be neither read nor set nor copied.
    """

    __slots__ = ("_public", "_public_key", "_secret")

    def __init__(self, secret: CData, public: bytes, public_key: bytes) -> None:
        self._secret: CData | None = secret
        self._public = public
        self._public_key = public_key

    @property
    def public(self) -> bytes:
        """The 66-byte public nonce, to be sent to the others."""
        return self._public

    @property
    def public_key(self) -> bytes:
        """The 33-byte key of the signer that it belongs to; libsecp256k1 ends the process at any other signer's."""
        return self._public_key

    def _take(self) -> CData:
        """Hand libsecp256k1's object over, once."""
        secret, self._secret = self._secret, None
        if secret is None:
            raise ValueError("nonce: must sign only once (it has signed already); make a new one")
        return secret

    def __reduce__(self) -> tuple[object, ...]:
        raise TypeError("a SecretNonce can be neither copied nor pickled: a nonce signs only once")


def make_nonce(
    session_secret: bytes,
    public_key: bytes,
    *,
    secret: bytes | None = None,
    message: bytes | None = None,
    aggregate_key: AggregateKey | None = None,
    extra: bytes | None = None,
) -> SecretNonce:
    """Derive a nonce from 32 bytes that no other signing ever uses (BIP-327, NonceGen).

    The other arguments, where known, are hashed in as further protection: the signer's own secret, the 32-byte
    message, the aggregate key, any other 32 bytes. The result is a function of the arguments. Raises ValueError
    for other lengths, an all-zero session secret, or a secret that is not that of `public_key`.
    """
    check_bytes("session_secret", session_secret, SECRET_BYTES)
    point = parse_public_key("public_key", public_key)
    if secret is not None:
        check_secret("secret", secret)
        own = ffi.new("secp256k1_pubkey *")
        lib.secp256k1_ec_pubkey_create(CONTEXT, own, secret)
        found = serialize_public_key(own)
        if found != public_key:
            raise ValueError(f"secret: must be the secret of public_key {public_key.hex()} (got that of {found.hex()})")
    if message is not None:
        check_bytes("message", message, DIGEST_BYTES)
    if extra is not None:
        check_bytes("extra", extra, 32)
    nonce, public = ffi.new("secp256k1_musig_secnonce *"), ffi.new("secp256k1_musig_pubnonce *")
    randomness = ffi.new("unsigned char[]", list(session_secret))  # libsecp256k1 wipes it
    made = lib.secp256k1_musig_nonce_gen(
        CONTEXT,
        nonce,
        public,
        randomness,
        NULL if secret is None else secret,
        point,
        NULL if message is None else message,
        NULL if aggregate_key is None else aggregate_key._cache,
        NULL if extra is None else extra,
    )
    if not made:
        raise ValueError("session_secret: must not be all zeros")
    out = ffi.new("unsigned char[]", NONCE_BYTES)
    lib.secp256k1_musig_pubnonce_serialize(CONTEXT, out, public)
    return SecretNonce(nonce, bytes(ffi.buffer(out)), public_key)


def aggregate_nonces(public_nonces: Sequence[bytes]) -> bytes:
    """Return the 66-byte sum of the signers' public nonces (BIP-327, NonceAgg).

    Raises ContributionError naming the signer whose nonce is not two points of the curve.
    """
    if not public_nonces:
        raise ValueError("public_nonces: must be at least one (got none)")
    parsed = [_parse_nonce(f"public_nonces[{i}]", i, nonce) for i, nonce in enumerate(public_nonces)]
    total = ffi.new("secp256k1_musig_aggnonce *")
    lib.secp256k1_musig_nonce_agg(CONTEXT, total, parsed, len(parsed))
    out = ffi.new("unsigned char[]", NONCE_BYTES)
    lib.secp256k1_musig_aggnonce_serialize(CONTEXT, out, total)
    return bytes(ffi.buffer(out))


class Session:
    """One signing: an aggregate key, an aggregate nonce and a message of 32 bytes.

    Raises ContributionError where the aggregate nonce is not two points (or the point at infinity, as zeros).
    """

    __slots__ = ("_key", "_session")

    def __init__(self, aggregate_key: AggregateKey, aggregate_nonce: bytes, message: bytes) -> None:
        check_bytes("aggregate_nonce", aggregate_nonce, NONCE_BYTES)
        check_bytes("message", message, DIGEST_BYTES)
        nonce = ffi.new("secp256k1_musig_aggnonce *")
        if not lib.secp256k1_musig_aggnonce_parse(CONTEXT, nonce, aggregate_nonce):
            raise ContributionError(None, "aggnonce", _nonce_rule(aggregate_nonce))
        session = ffi.new("secp256k1_musig_session *")
        lib.secp256k1_musig_nonce_process(CONTEXT, session, nonce, message, aggregate_key._cache)
        self._key = aggregate_key
        self._session = session

    def sign(self, nonce: SecretNonce, secret: bytes) -> bytes:
        """Return this signer's 32-byte partial signature and use the nonce up.

        Raises ValueError where the nonce has signed before, or belongs to another key than that of `secret`, or
        where that key is not one of the signers.
        """
        keypair = make_keypair("secret", secret)
        point = ffi.new("secp256k1_pubkey *")
        lib.secp256k1_keypair_pub(CONTEXT, point, keypair)
        key = serialize_public_key(point)
        if key != nonce.public_key:
            raise ValueError(f"nonce: must be one made for public key {key.hex()} (got {nonce.public_key.hex()})")
        if key not in self._key.signers:
            raise ValueError(f"secret: its public key must be one of the signers' (got {key.hex()})")
        partial = ffi.new("secp256k1_musig_partial_sig *")
        lib.secp256k1_musig_partial_sign(CONTEXT, partial, nonce._take(), keypair, self._key._cache, self._session)
        out = ffi.new("unsigned char[]", PARTIAL_BYTES)
        lib.secp256k1_musig_partial_sig_serialize(CONTEXT, out, partial)
        return bytes(ffi.buffer(out))

    def verify(self, partial: bytes, public_nonce: bytes, signer: int) -> bool:
        """Say whether a partial signature is that of the signer with this index and public nonce.

        Raises ValueError for another length or index, ContributionError where the nonce is not two points.
        """
        check_bytes("partial", partial, PARTIAL_BYTES)
        if not 0 <= signer < len(self._key.signers):
            raise ValueError(f"signer: must be from 0 to {len(self._key.signers) - 1} (got {signer})")
        nonce = _parse_nonce("public_nonce", signer, public_nonce)
        point = parse_public_key("public_key", self._key.signers[signer])
        parsed = _find_partial(partial)
        return parsed is not None and bool(
            lib.secp256k1_musig_partial_sig_verify(CONTEXT, parsed, nonce, point, self._key._cache, self._session)
        )

    def aggregate(self, partials: Sequence[bytes]) -> bytes:
        """Return the 64-byte BIP-340 signature that the partial signatures of all signers make.

        It is valid only if each of them is. Raises ContributionError naming the signer whose partial signature
        is not a number below n, ValueError unless there is one for each signer.
        """
        if len(partials) != len(self._key.signers):
            raise ValueError(f"partials: must be {len(self._key.signers)}, one a signer (got {len(partials)})")
        parsed = []
        for i, partial in enumerate(partials):
            check_bytes(f"partials[{i}]", partial, PARTIAL_BYTES)
            found = _find_partial(partial)
            if found is None:
                raise ContributionError(i, "psig", f"must be a number below n (got {partial.hex()})")
            parsed.append(found)
        out = ffi.new("unsigned char[]", COMPACT_BYTES)
        lib.secp256k1_musig_partial_sig_agg(CONTEXT, out, self._session, parsed, len(parsed))
        return bytes(ffi.buffer(out))


def _find_signer(signer: int, key: bytes) -> CData:
    point = find_public_key(f"public_keys[{signer}]", key)
    if point is None:
        raise ContributionError(signer, "pubkey", f"must be a compressed point of secp256k1 (got {key.hex()})")
    return point


def _parse_nonce(name: str, signer: int, nonce: bytes) -> CData:
    check_bytes(name, nonce, NONCE_BYTES)
    parsed = ffi.new("secp256k1_musig_pubnonce *")
    if not lib.secp256k1_musig_pubnonce_parse(CONTEXT, parsed, nonce):
        raise ContributionError(signer, "pubnonce", _nonce_rule(nonce))
    return parsed


def _nonce_rule(nonce: bytes) -> str:
    return f"must be two compressed points of secp256k1 (got {nonce.hex()})"


def _find_partial(partial: bytes) -> CData | None:
    parsed = ffi.new("secp256k1_musig_partial_sig *")
    return parsed if lib.secp256k1_musig_partial_sig_parse(CONTEXT, parsed, partial) else None
