"""Pieces of a part that are written beside each other: the bytes and the checksums are those of the whole part."""

from itertools import pairwise
from pathlib import Path
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fourcc.container.index import PartRecord
from fourcc.container.layout import CHUNK, PartSummer
from fourcc.conversion.spread import piece_writer as module
from fourcc.conversion.spread.assembly import PartAssembly
from fourcc.conversion.spread.piece_writer import PieceWriter
from fourcc.errors import ClusterError
from tests.examples import examples

LONGEST = 3 * CHUNK + 7
DATA = memoryview(Random(0).randbytes(LONGEST))


class Pages:
    """A file in which a process may only write whole pages that nobody else writes."""

    def __init__(self, size: int, page: int) -> None:
        self.bytes = bytearray(size)
        self._page, self._taken = page, set[int]()

    def put(self, offset: int, data: memoryview) -> None:
        """Writes for the process that hands out the work."""
        self.bytes[offset : offset + len(data)] = data

    def put_pages(self, offset: int, data: memoryview, pending: dict[int, int]) -> None:
        """Writes for a worker; `pending` counts its bytes by page."""
        for at in range(offset, offset + len(data)):
            pending[at // self._page] = pending.get(at // self._page, 0) + 1
        self.put(offset, data)

    def settle(self, pending: dict[int, int]) -> None:
        """Checks what a worker wrote."""
        assert all(count == self._page for count in pending.values())
        assert not self._taken & pending.keys()
        self._taken |= pending.keys()


@examples(20)
@given(
    nbytes=st.integers(0, 40_000),
    place=st.integers(0, 300),
    cuts=st.lists(st.integers(0, 40_000), max_size=6),
    page=st.sampled_from([64, 512, 4096]),
    chunk=st.sampled_from([256, 1000, 8192]),
    order=st.randoms(),
)
def test_any_cut_gives_the_whole_part(
    nbytes: int, place: int, cuts: list[int], page: int, chunk: int, order: Random
) -> None:
    """With small pages and chunks, so that pieces begin and end anywhere in them."""
    from fourcc.container import layout
    from fourcc.conversion.spread import assembly

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "PAGE", page)
        for each in (module, layout, assembly):
            patch.setattr(each, "CHUNK", chunk)
        data = DATA[:nbytes]
        pages = Pages(64 * place + nbytes, page)
        written = []
        for start, stop in pairwise([0, *sorted(min(cut, nbytes) for cut in cuts), nbytes]):
            pending: dict[int, int] = {}
            region = PieceWriter(
                "wq", "codes", 64 * place, start, stop, nbytes, lambda at, run, p=pending: pages.put_pages(at, run, p)
            )
            for at in range(start, stop, 700):
                region.update(data[at : min(stop, at + 700)])
            written.append(region.finish())
            pages.settle(pending)
        whole = PartAssembly("wq", PartRecord("codes", "u1", (nbytes,), 64 * place, nbytes, b""), pages.put)
        order.shuffle(written)
        for each in written:
            whole.add(each)
        summer = PartSummer("wq", "codes")
        summer.update(data)
        assert whole.finish().sums == summer.finish()
        assert bytes(pages.bytes[64 * place :]) == bytes(data)


def test_most_bytes_of_a_large_piece_are_written_by_the_worker() -> None:
    wrote = []
    region = PieceWriter("wq", "codes", 64, 100, LONGEST, LONGEST, lambda at, run: wrote.append((at, len(run))))
    region.update(DATA[100:])
    left = region.finish()
    assert len(left.head) < CHUNK + module.PAGE
    assert len(left.tail) < module.PAGE
    assert sum(count for _, count in wrote) == LONGEST - 100 - len(left.head) - len(left.tail)
    assert len(left.sums) == 8 * 3


def test_nothing_is_written_once_the_work_has_ended(tmp_path: Path) -> None:
    """A task may still run then, and other work may write the file."""
    (tmp_path / "model.bin.part").write_bytes(bytes(10))
    (tmp_path / "marker").touch()
    with module.SharedFile(tmp_path / "model.bin.part", tmp_path / "marker", flush=True) as file:
        file.write_at(2, memoryview(b"abc"))
        (tmp_path / "marker").unlink()
        with pytest.raises(ClusterError, match=r"model\.bin\.part: the work was ended while a worker was at it"):
            file.write_at(2, memoryview(b"xyz"))
    assert (tmp_path / "model.bin.part").read_bytes() == bytes(2) + b"abc" + bytes(5)
