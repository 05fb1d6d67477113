"""Putting the pieces of a tensor together: the bytes that no worker wrote, and the checksums that lie across pieces."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import attrs

from fourcc.container.index import ErrorRecord, FeedbackRecord, PartRecord
from fourcc.container.layout import CHUNK, SUM_BYTES, PartSummer, sum_count
from fourcc.conversion.measured_errors import error_record
from fourcc.conversion.spread.piece_writer import Put, Written
from fourcc.conversion.spread.request import LooseResult, PieceResult
from fourcc.metrics import ErrorSums


class PartAssembly:
    """The checksums of one part, whose pieces come in any order; each once.

    Args:
        tensor: the tensor's name.
        record: the part's, with its place.
        put: writes bytes into the file.
    """

    def __init__(self, tensor: str, record: PartRecord, put: Put) -> None:
        self._tensor, self._record, self._put = tensor, record, put
        self._sums = bytearray(SUM_BYTES * sum_count(record.nbytes))
        self._open: dict[int, dict[int, bytes]] = {}  # chunk across pieces -> offset in the part -> bytes

    def add(self, written: Written) -> None:
        """Takes what a worker left to do."""
        first, count = written.first_chunk, len(written.sums) // SUM_BYTES
        self._sums[SUM_BYTES * first : SUM_BYTES * (first + count)] = written.sums
        end = written.start + written.nbytes
        for offset, data in ((written.start, written.head), (end - len(written.tail), written.tail)):
            if data:
                self._put(self._record.offset + offset, memoryview(data))
                self._keep(offset, data, range(first, first + count))

    def _keep(self, offset: int, data: bytes, summed: range) -> None:
        """Keeps the bytes of chunks that lie across pieces until all of a chunk are there."""
        for chunk in range(offset // CHUNK, sum_count(offset + len(data))):
            if chunk not in summed:
                start = max(offset, chunk * CHUNK)
                self._open.setdefault(chunk, {})[start] = data[start - offset : (chunk + 1) * CHUNK - offset]
                self._close(chunk)

    def _close(self, chunk: int) -> None:
        runs = self._open[chunk]
        if sum(map(len, runs.values())) == min(CHUNK, self._record.nbytes - chunk * CHUNK):
            summer = PartSummer(self._tensor, self._record.name, chunk)
            for start in sorted(runs):
                summer.update(memoryview(runs[start]))
            self._sums[SUM_BYTES * chunk : SUM_BYTES * (chunk + 1)] = summer.finish()
            del self._open[chunk]

    def finish(self) -> PartRecord:
        """The part's record."""
        assert not self._open
        return self._record._replace(sums=bytes(self._sums))


@attrs.define(eq=False)
class TensorAssembly:
    """One tensor whose pieces come in any order.

    Attributes:
        parts: its parts by name, in the order of the file.
        left: numbers of the pieces that are still to come.
        sums: of the errors of pieces, tile by tile.
        aids: digest of the calibration data that the encoder saw.
        feedback: the error feedback.
        seconds: that workers spent on it.
    """

    parts: Mapping[str, PartAssembly]
    left: set[int]
    sums: dict[int, tuple[ErrorSums, ...]] = attrs.field(factory=dict)
    aids: bytes | None = None
    feedback: FeedbackRecord | None = None
    seconds: float = 0.0

    @classmethod
    def of(cls, tensor: str, records: Iterable[PartRecord], pieces: int, put: Put) -> TensorAssembly:
        """A tensor of which nothing has come."""
        return cls({record.name: PartAssembly(tensor, record, put) for record in records}, set(range(pieces)))

    def add(self, number: int, result: PieceResult) -> None:
        """Takes a piece."""
        for name, written in result.written.items():
            self.parts[name].add(written)
        self.left.remove(number)
        self.sums[number] = result.sums
        self.aids = self.aids or result.aids
        self.feedback = self.feedback or result.feedback
        self.seconds += result.seconds

    def know(self, loose: LooseResult) -> None:
        """Takes what encoding has told of a loose tensor, whose pieces only place its bytes."""
        self.sums[-1], self.aids, self.feedback = loose.sums, loose.aids, loose.feedback
        self.seconds = loose.seconds

    def records(self) -> tuple[PartRecord, ...]:
        """The records of the parts, once all pieces have come."""
        assert not self.left
        return tuple(part.finish() for part in self.parts.values())

    @property
    def error(self) -> ErrorRecord:
        """The error of the whole tensor: tiles are added in the order of one process."""
        return error_of([each for number in sorted(self.sums) for each in self.sums[number]])


def error_of(tiles: Sequence[ErrorSums]) -> ErrorRecord:
    """The measures of a tensor's error, from the sums of its tiles in order."""
    sums = ErrorSums()
    for each in tiles:
        sums += each
    return error_record(sums)
