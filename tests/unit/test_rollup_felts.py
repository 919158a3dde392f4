"""Starknet's state differences: published examples of the packing and of short names, and what is refused."""

from collections import deque

import pytest

from l2sim.systems.rollup.formats import felts
from l2sim.systems.rollup.formats.felt_packing import bucket_of, pack_elements, unpack_elements

# starkware-libs/sequencer, crates/starknet_os, stateless_compression/tests.rs (Apache-2.0): elements, and packed.
PUBLISHED = [
    ("1", "100000000000000000000000000000100000 1 5"),
    ("2", "100000000000000000000000000000100000 2 5"),
    ("a", "100000000000000000000000000000100000 a 5"),
    ("1 2", "200000000000000000000000000000200000 10001 28"),
    ("2 3 1", "300000000000000000000000000000300000 40018002 11d"),
    ("1 2 3 4", "400000000000000000000000000000400000 8000c0010001 7d0"),
    ("1 1 6 7c7 42 0", "10000500000000000000000000000000000600000 841f1c0030001 0 17eff"),
    (
        "4 2 12 0 8d 3b28019ccfdbd30ffc65951d94bb85c9e2b8434111a000b5afd533ce65f57a4 8b "
        "3e761c56282df5f70f25fc154e6b3ac9335b7fc41538ecb9276c77a77ee42b4 8a "
        "7e2c7f8fd5d138ac47de629f64c7a2c732b2fd5863bd4b7a3df13a9143313e2 8c 88 a 8a 8af9fb61c 87 "
        "fffffffffffffffffffff7506049e4 89 c02 8c 7 7c6f280b97046e3b87f91b905721b07cb7a3c0c5bc3e7415542d334de7c15b6 8b "
        "7075626c69635f6b6579 1 7c6f280b97046e3b87f91b905721b07cb7a3c0c5bc3e7415542d334de7c15b6 "
        "3ccabeeed5a2f8b62b97ade270f3c7276c38f2d88c7260ba080d8185c018d37",
        "40000f00000000010000100001000050001b00000 3b28019ccfdbd30ffc65951d94bb85c9e2b8434111a000b5afd533ce65f57a4 "
        "3e761c56282df5f70f25fc154e6b3ac9335b7fc41538ecb9276c77a77ee42b4 "
        "7e2c7f8fd5d138ac47de629f64c7a2c732b2fd5863bd4b7a3df13a9143313e2 "
        "7c6f280b97046e3b87f91b905721b07cb7a3c0c5bc3e7415542d334de7c15b6 "
        "3ccabeeed5a2f8b62b97ade270f3c7276c38f2d88c7260ba080d8185c018d37 fffffffffffffffffffff7506049e4 "
        "7075626c69635f6b6579 8af9fb61c 40038c020112021c005008801180228045808d000000480010004 aad9 1ec63d26ccd3d600757",
    ),
]


def numbers(text: str) -> list[int]:
    return [int(word, 16) for word in text.split()]


@pytest.mark.parametrize(("elements", "packed"), PUBLISHED)
def test_elements_are_packed_as_published(elements: str, packed: str) -> None:
    assert pack_elements(numbers(elements)) == numbers(packed)
    assert unpack_elements(deque(numbers(packed))) == numbers(elements)


@pytest.mark.parametrize(
    ("elements", "percent"),
    [
        ([7_777_777], 300),
        ([2**250] * 100, 5),
        (list(range(0x8000)), 7),
        ([2**power for power in range(252)], 67),
    ],
    ids=["one", "the same", "small ones", "of every size"],
)
def test_packing_shortens_as_published(elements: list[int], percent: int) -> None:
    packed = pack_elements(elements)
    assert 100 * len(packed) // len(elements) == percent
    assert unpack_elements(deque(packed)) == elements


def test_an_element_goes_into_the_narrowest_bucket_that_it_fits() -> None:
    edges = (15, 31, 62, 83, 125)
    assert [bucket_of(2**bits - 1) for bits in edges] == [5, 4, 3, 2, 1]
    assert [bucket_of(2**bits) for bits in edges] == [4, 3, 2, 1, 0]
    # The example of docs.starknet.io: in the 252 bits' bucket, twice in the narrowest, twice in that of 83 bits.
    assert [bucket_of(value) for value in (2**250, 10, 100, 2**63, 2**63 + 1)] == [0, 5, 5, 2, 2]
    with pytest.raises(ValueError, match="at most 252 bits"):
        bucket_of(2**252)


def test_keys_get_short_names_in_the_published_order() -> None:
    """blockifier, stateful_compression_test.rs, test_iterate_aliases: by contract, its keys first, then its address."""
    contracts = [
        felts.Contract(15, cells=((0x301, 1),)),
        felts.Contract(0x200, nonce=1),
        felts.Contract(0x201, cells=((0x304, 3), (0x307, 1), (0x309, 2))),
        felts.Contract(0x202),
    ]
    new = felts.Names().new_in(contracts)
    assert new == {0x200: 128, 0x304: 129, 0x307: 130, 0x309: 131, 0x201: 132, 0x202: 133}


def test_a_word_says_nonce_and_cells() -> None:
    cells = tuple((key, 1) for key in range(256))
    assert felts.Contract(1, cells=cells[:255]).word == 255 << 2 | 2
    assert felts.Contract(1, cells=cells).word == 256 << 2
    assert felts.Contract(1, 7, cells).word == (7 << 64 | 256) << 2


def test_a_name_is_given_once_and_serves_ever_after() -> None:
    names, reader = felts.Names(), felts.FeltReader()
    sizes = []
    for balance_wei in (10**18, 10**18 + 7):
        contracts = felts.contracts_of(({5: balance_wei}, {5: 1}))
        content = felts.encode_felts(contracts, names)
        names.give(names.new_in(contracts))
        sizes.append(len(content))
        assert reader.read(felts.pack_felts(content))[-2:] == contracts
    # Key, the token's address, the account's: 128, 129, 130; the first time they are cells of contract 2, with the next
    # name under key 0.
    assert names.next == 131
    assert sizes[0] - sizes[1] == 32 * 2 * (1 + 4)
    assert felts.split_felts(content) == [2, 129, 1 << 2 | 2, 128, 10**18 + 7, 130, 1 << 10 | 2, 0]


@pytest.mark.parametrize(
    ("posted", "rule"),
    [
        (bytes(31), "must be whole"),
        ((5).to_bytes(32, "big"), "of version 0"),
        ((5 << 20).to_bytes(32, "big"), "must go on for 1 elements"),
        (felts.pack_felts(felts.join_felts([1, 200, 2, 0])), "200 must be a name"),
        (felts.pack_felts(felts.join_felts([1, 1, 3, 0])), "must not change its class"),
        (felts.pack_felts(felts.join_felts([1, 1])), "must not end within"),
        (felts.pack_felts(felts.join_felts([0, 1])), "must end with a zero"),
        (felts.pack_felts(felts.join_felts([0, 0, 9])), "must end with a zero"),
    ],
)
def test_what_is_no_difference_is_refused(posted: bytes, rule: str) -> None:
    with pytest.raises(ValueError, match=rule):
        felts.FeltReader().read(posted)


def test_pointers_and_places_past_the_end_are_refused() -> None:
    header, value, pointer, places = pack_elements([7, 7])
    with pytest.raises(ValueError, match="must hold numbers below 1 "):
        unpack_elements(deque([header, value, 1, places]))
    with pytest.raises(ValueError, match="element 1 must be in a bucket"):
        unpack_elements(deque([header, value, pointer, 5 + 5 * 7]))
    with pytest.raises(ValueError, match="elements must be at most"):
        pack_elements([0] * 2**20)


def test_a_difference_too_long_for_one_header_goes_in_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(felts, "MOST_ELEMENTS", 100)
    content = felts.join_felts([*range(205)])
    assert felts.unpack_felts(felts.pack_felts(content)) == content
