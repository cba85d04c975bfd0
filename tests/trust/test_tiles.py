"""C2SP tlog-tiles: paths, widths and bundles."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ectype.errors import Damaged, Invalid
from ectype.trust.merkle import Merkle, leaf_hash, leaf_hashes, subtree
from ectype.trust.tiles import TilePath, decode_bundle, encode_bundle, parse_path, partial_tiles


def test_a_path_is_written_as_the_specification_shows() -> None:
    assert str(TilePath(0, 1234067)) == "tile/0/x001/x234/067"
    assert str(TilePath("entries", 273, 112)) == "tile/entries/273.p/112"


@given(st.integers(0, 63) | st.just("entries"), st.integers(0, 10**12), st.integers(1, 256))
def test_a_path_reads_back(level: object, n: int, width: int) -> None:
    path = TilePath(level, n, width)  # type: ignore[arg-type]
    assert parse_path(str(path)) == path


@pytest.mark.parametrize(
    "text",
    [
        "",
        "tile/0/67",
        "tile/00/067",
        "tile/64/000",
        "tile/0/x000/067",
        "tile/0/x001/x067",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/01",
        "tile/0/000/",
        "tile/-1/000",
        "tile/entries/../000",
        "tile/0/٠٠٠",
    ],
)
def test_other_spellings_are_refused(text: str) -> None:
    with pytest.raises(Invalid):
        parse_path(text)


def test_a_tree_of_70000_needs_the_partial_tiles_that_the_specification_lists() -> None:
    assert [str(path) for path in partial_tiles(70_000)] == [
        "tile/0/273.p/112",
        "tile/1/001.p/17",
        "tile/2/000.p/1",
    ]
    assert [str(path) for path in partial_tiles(256)] == ["tile/1/000.p/1"]
    assert list(partial_tiles(0)) == []


def test_a_hash_one_level_up_is_the_root_of_the_full_tile_below() -> None:
    tree = Merkle()
    leaves = [b"%d" % i for i in range(600)]
    tree.extend(leaf_hashes(leaves))
    assert tree.tile(0, 1) == b"".join(leaf_hash(leaf) for leaf in leaves[256:512])
    assert tree.tile(1, 0, 2) == subtree(tree.tile(0, 0)) + subtree(tree.tile(0, 1))
    assert tree.tile(0, 2, 88) == leaf_hashes(leaves[512:])


@given(st.lists(st.binary(max_size=300), max_size=20))
def test_a_bundle_holds_its_entries(entries: list[bytes]) -> None:
    data = encode_bundle(entries)
    assert decode_bundle(data) == entries
    if data:
        with pytest.raises(Damaged):
            decode_bundle(data[:-1] + b"" if len(entries[-1]) else data + b"\0")


def test_a_bundle_prefixes_each_entry_with_its_length_in_two_bytes() -> None:
    assert encode_bundle([b"ab", b""]) == b"\x00\x02ab\x00\x00"
