"""RFC 6962 trees: the certificate-transparency test vectors, and RFC text as an independent oracle."""

from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ectype.errors import Invalid, ProofFailed
from ectype.trust.merkle import (
    EMPTY_ROOT,
    MemoryTiles,
    Merkle,
    check_consistency,
    check_inclusion,
    leaf_hash,
    leaf_hashes,
)

# The reference tree of certificate-transparency's merkletree tests.
LEAVES = [
    bytes.fromhex(text)
    for text in ("", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f")
]
ROOTS = [
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
INCLUSION = {  # (index, size): path, from the same tests
    (0, 1): "",
    (0, 8): "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7 "
    "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e "
    "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    (5, 8): "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b "
    "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0 "
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    (2, 3): "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    (1, 5): "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d "
    "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e "
    "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
    (5, 7): "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b "
    "b08693ec2e721597130641e8211e7eedccb4c26413963eee6c1e2ed16ffb1a5f "
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
}
CONSISTENCY = {  # (old, new): path, from the same tests
    (1, 1): "",
    (1, 8): "96a296d224f285c67bee93c30f8a309157f0daa35dc5b87e410b78630a09cfc7 "
    "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e "
    "6b47aaf29ee3c2af9af889bc1fb9254dabd31177f16232dd6aab035ca39bf6e4",
    (6, 8): "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a "
    "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0 "
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    (2, 5): "5f083f0a1a33ca076a95279832580db3e0ef4584bdff1f54c8a360f50de3031e "
    "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
}


def mth(leaves: list[bytes]) -> bytes:
    """RFC 6962 section 2.1, word by word."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return sha256(b"\x00" + leaves[0]).digest()
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    return sha256(b"\x01" + mth(leaves[:k]) + mth(leaves[k:])).digest()


def path(m: int, leaves: list[bytes]) -> list[bytes]:
    """RFC 6962 section 2.1.1, word by word."""
    if len(leaves) == 1:
        return []
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    if m < k:
        return [*path(m, leaves[:k]), mth(leaves[k:])]
    return [*path(m - k, leaves[k:]), mth(leaves[:k])]


def subproof(m: int, leaves: list[bytes], whole: bool) -> list[bytes]:
    """RFC 6962 section 2.1.2, word by word."""
    if m == len(leaves):
        return [] if whole else [mth(leaves)]
    k = 1
    while k * 2 < len(leaves):
        k *= 2
    if m <= k:
        return [*subproof(m, leaves[:k], whole), mth(leaves[k:])]
    return [*subproof(m - k, leaves[k:], False), mth(leaves[:k])]


def tree_of(leaves: list[bytes]) -> Merkle:
    tree = Merkle()
    tree.extend(leaf_hashes(leaves))
    return tree


def some_leaves(count: int) -> list[bytes]:
    return [b"%d" % i for i in range(count)]


def hexes(text: str) -> list[bytes]:
    return [bytes.fromhex(word) for word in text.split()]


@pytest.mark.parametrize("size", range(9))
def test_roots_are_those_of_certificate_transparency(size: int) -> None:
    assert tree_of(LEAVES).root(size).hex() == ROOTS[size]
    assert tree_of(LEAVES[:size]).root().hex() == ROOTS[size]


@pytest.mark.parametrize("place", INCLUSION)
def test_inclusion_proofs_are_those_of_certificate_transparency(place: tuple[int, int]) -> None:
    index, size = place
    published = hexes(INCLUSION[place])
    assert tree_of(LEAVES).inclusion(index, size) == published
    check_inclusion(leaf_hash(LEAVES[index]), index, size, published, bytes.fromhex(ROOTS[size]))


@pytest.mark.parametrize("sizes", CONSISTENCY)
def test_consistency_proofs_are_those_of_certificate_transparency(sizes: tuple[int, int]) -> None:
    old, new = sizes
    published = hexes(CONSISTENCY[sizes])
    assert tree_of(LEAVES).consistency(old, new) == published
    check_consistency(old, new, published, bytes.fromhex(ROOTS[old]), bytes.fromhex(ROOTS[new]))


def test_every_proof_in_every_small_tree_is_what_the_rfc_says() -> None:
    leaves = some_leaves(20)
    tree = tree_of(leaves)
    for size in range(1, 21):
        for index in range(size):
            assert tree.inclusion(index, size) == path(index, leaves[:size])
            check_inclusion(leaf_hash(leaves[index]), index, size, tree.inclusion(index, size), tree.root(size))
        for old in range(1, size + 1):
            assert tree.consistency(old, size) == subproof(old, leaves[:size], True)
            check_consistency(old, size, tree.consistency(old, size), tree.root(old), tree.root(size))


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_trees_beyond_one_tile_agree_with_the_rfc(data: st.DataObject) -> None:
    steps = data.draw(st.lists(st.integers(0, 400), min_size=1, max_size=5))
    leaves = some_leaves(sum(steps) + 1)
    tree = Merkle()
    at = 0
    for step in [*steps, 1]:
        tree.extend(leaf_hashes(leaves[at : at + step]))
        at += step
    size = data.draw(st.integers(1, len(leaves)))
    index = data.draw(st.integers(0, size - 1))
    old = data.draw(st.integers(1, size))
    assert tree.root(size) == mth(leaves[:size])
    assert tree.inclusion(index, size) == path(index, leaves[:size])
    assert tree.consistency(old, size) == subproof(old, leaves[:size], True)


def test_a_tree_of_three_levels_of_tiles_proves_itself() -> None:
    leaves = some_leaves(70_000)
    tree = tree_of(leaves)
    for index, size in ((0, 70_000), (65_535, 65_536), (65_536, 65_537), (69_999, 70_000), (12_345, 66_000)):
        check_inclusion(leaf_hash(leaves[index]), index, size, tree.inclusion(index, size), tree.root(size))
    for old, new in ((65_536, 70_000), (65_535, 65_537), (1, 70_000), (69_999, 70_000)):
        check_consistency(old, new, tree.consistency(old, new), tree.root(old), tree.root(new))
    assert len(tree.edges()) == 3
    assert tree.root() == mth(leaves)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1500), st.integers(0, 600))
def test_a_tree_goes_on_from_its_edges(before: int, after: int) -> None:
    leaves = some_leaves(before + after)
    tiles = MemoryTiles()
    first = Merkle(tiles)
    first.extend(leaf_hashes(leaves[:before]))
    second = Merkle(tiles, first.size, first.edges())
    second.extend(leaf_hashes(leaves[before:]))
    assert second.root() == mth(leaves)
    assert second.root(before) == first.root()


def test_edges_of_another_size_are_refused() -> None:
    with pytest.raises(Invalid):
        Merkle(size=3, edges=[bytes(32)])
    with pytest.raises(Invalid):
        Merkle(size=0, edges=[b""])


def test_no_other_entry_passes() -> None:
    leaves = some_leaves(9)
    tree = tree_of(leaves)
    for size in range(1, 10):
        for index in range(size):
            proof, root = tree.inclusion(index, size), tree.root(size)
            for bad_index in [*range(-1, index), *range(index + 1, size + 2)]:
                with pytest.raises(ProofFailed):
                    check_inclusion(leaf_hash(leaves[index]), bad_index, size, proof, root)
            for bad in (
                proof[:-1] if proof else [root],
                [*proof, root],
                [bytes(32), *proof[1:]] if proof else [bytes(32)],
            ):
                with pytest.raises(ProofFailed):
                    check_inclusion(leaf_hash(leaves[index]), index, size, bad, root)
            with pytest.raises(ProofFailed):
                check_inclusion(leaf_hash(b"else"), index, size, proof, root)


def test_no_other_history_passes() -> None:
    leaves = some_leaves(12)
    tree = tree_of(leaves)
    for new in range(1, 13):
        for old in range(1, new + 1):
            proof, was, now = tree.consistency(old, new), tree.root(old), tree.root(new)
            wrong = [(bytes(32), now), (was, bytes(32))]
            for a, b in wrong:
                with pytest.raises(ProofFailed):
                    check_consistency(old, new, proof, a, b)
            for bad in (proof[:-1] if proof else [was], [*proof, was]):
                with pytest.raises(ProofFailed):
                    check_consistency(old, new, bad, was, now)
            with pytest.raises(ProofFailed):
                check_consistency(old, new + 13, proof, was, now)
    with pytest.raises(ProofFailed):
        check_consistency(5, 4, [], tree.root(5), tree.root(4))


def test_from_the_empty_log_everything_follows() -> None:
    tree = tree_of(some_leaves(5))
    check_consistency(0, 5, [], EMPTY_ROOT, tree.root())
    with pytest.raises(ProofFailed):
        check_consistency(0, 5, [], bytes(32), tree.root())


def test_questions_beyond_the_tree_are_invalid() -> None:
    tree = tree_of(some_leaves(5))
    for ask in (
        lambda: tree.root(6),
        lambda: tree.root(-1),
        lambda: tree.inclusion(5, 5),
        lambda: tree.inclusion(0, 6),
        lambda: tree.consistency(4, 3),
        lambda: tree.tile(0, 0, 6),
        lambda: tree.tile(1, 0, 1),
        lambda: tree.tile(0, 0, 0),
    ):
        with pytest.raises(Invalid):
            ask()
