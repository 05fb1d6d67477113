"""The words between the process that hands out a conversion's pieces and its workers: plain values, pickled."""

from __future__ import annotations

from collections.abc import Mapping

import attrs

from fourcc.container.index import FeedbackRecord
from fourcc.conversion.spread.piece_writer import Written
from fourcc.conversion.spread.pieces import TensorPiece
from fourcc.feedback.feedback import Feedback
from fourcc.metrics import ErrorSums
from fourcc.policy import Decision


@attrs.frozen
class WorkerInputs:
    """The files that a worker opens once.

    Attributes:
        key: of the work: for other work they are opened again, since they may have changed.
        source: path of the checkpoint.
        kind: its kind, as it was recognised.
        calibration: path of the calibration; None where there is none.
        aids: path of a file with the aids that were given from Python; None where there are none.
    """

    key: str
    source: str
    kind: str
    calibration: str | None = None
    aids: str | None = None


@attrs.frozen
class PartPlace:
    """The place of a part in a file.

    Attributes:
        offset: of the part.
        nbytes: its length.
    """

    offset: int
    nbytes: int


@attrs.frozen
class PieceRequest:
    """The work on one piece of a tensor.

    Attributes:
        inputs: the files.
        decision: about the tensor.
        piece: of it.
        feedback: the settings of error feedback; None: none.
        whole: weights of all tensors that are encoded in the same format.
        threads: on which the piece is encoded.
        memory: bytes that the worker may take at most; None: any number.
        output: path of the file that it is written into.
        places: of the tensor's parts, by name; empty for a loose tensor, whose length is not known.
        marker: path of the file that marks the folder as long as the work goes on.
        master: host of the process that asks: on others the bytes are flushed.
        loose: paths of the files for the parts of a loose tensor.
    """

    inputs: WorkerInputs
    decision: Decision
    piece: TensorPiece
    feedback: Feedback | None
    whole: int
    threads: int
    memory: int | None
    output: str
    places: Mapping[str, PartPlace]
    marker: str
    master: str
    loose: tuple[str, ...] = ()


@attrs.frozen
class PieceResult:
    """The outcome of a piece.

    Attributes:
        written: what is left to do, by names of parts.
        sums: of the errors, tile by tile.
        aids: digest of the calibration data that the encoder saw; None where it saw none.
        feedback: the error feedback; None where there was none.
        seconds: that it took.
    """

    written: Mapping[str, Written]
    sums: tuple[ErrorSums, ...]
    aids: bytes | None
    feedback: FeedbackRecord | None
    seconds: float


@attrs.frozen
class LoosePart:
    """A part of a loose tensor, in a file of its own.

    Attributes:
        shape: as it is stored.
        nbytes: its length.
        sums: its checksums.
    """

    shape: tuple[int, ...]
    nbytes: int
    sums: bytes


@attrs.frozen
class LooseResult:
    """The outcome of a tensor whose length was not known.

    Attributes:
        parts: by names, in the order of the format.
        sums: as in `PieceResult`.
        aids: likewise.
        feedback: likewise.
        seconds: likewise.
    """

    parts: Mapping[str, LoosePart]
    sums: tuple[ErrorSums, ...]
    aids: bytes | None
    feedback: FeedbackRecord | None
    seconds: float
