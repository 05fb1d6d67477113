"""A worker's work on one piece of a tensor: read, encode, write at its place."""

from __future__ import annotations

import platform
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fourcc.container.index import FeedbackRecord
from fourcc.container.layout import PartSummer
from fourcc.conversion.memory_need import Room
from fourcc.conversion.pipeline import Step, aids_digest, feedback_record, tile_tasks
from fourcc.conversion.spread.inputs import OpenedInputs, opened
from fourcc.conversion.spread.piece_writer import PieceWriter, SharedFile
from fourcc.conversion.spread.pieces import TensorPiece, part_bytes
from fourcc.conversion.spread.request import LoosePart, LooseResult, PartPlace, PieceRequest, PieceResult
from fourcc.errors import ClusterError
from fourcc.execution import Execution
from fourcc.feedback.factors import hessian_digest
from fourcc.format import Aids
from fourcc.metrics import ErrorSums
from fourcc.part import Part
from fourcc.parts import PartsPlacer
from fourcc.plugins.registry import registry
from fourcc.threads import Task, in_order
from fourcc.tiles import TILE_WEIGHTS

COPY_BYTES = 1 << 20


def write_piece(request: PieceRequest) -> PieceResult:
    """Encodes, or copies, a piece and writes it at its place.

    Raises:
        FourccError: as a conversion in one process does.
        ClusterError: the source has another tensor of that name here.
    """
    began = time.monotonic()
    flush = platform.node() != request.master
    with opened(request.inputs) as inputs, SharedFile(Path(request.output), Path(request.marker), flush=flush) as file:
        step = _step(inputs, request)
        regions = _regions(step, request, file)
        if step.copied:
            _copy(step, regions)
            return _result(request, step, regions, (), began)
        spec = registry[step.decision.tag]
        shape = step.source.shape if request.piece.whole else request.piece.shape

        def put(part: Part, _: int, data: memoryview) -> None:
            regions[part.name].update(data)

        placer = PartsPlacer(spec, shape, step.decision.params, put, step.source.name)
        sums = _write(inputs, request, step, placer)
        placer.finish()
        return _result(request, step, regions, sums, began)


def write_loose(request: PieceRequest) -> LooseResult:
    """Encodes a tensor whose length is not known into a file for each part. Raises as `write_piece` does."""
    began = time.monotonic()
    flush = platform.node() != request.master
    with opened(request.inputs) as inputs:
        step = _step(inputs, request)
        spec = registry[step.decision.tag]
        paths = {part.name: Path(path) for part, path in zip(spec.parts, request.loose, strict=True)}
        summers = {name: PartSummer(step.source.name, name) for name in paths}
        for path in paths.values():
            path.touch()  # one that a lost worker left is written over by the same bytes

        def put(part: Part, start: int, data: memoryview) -> None:
            summers[part.name].update(data)
            with SharedFile(paths[part.name], Path(request.marker), flush=flush) as file:
                file.write_at(start, data)

        placer = PartsPlacer(spec, step.source.shape, step.decision.params, put, step.source.name)
        sums = _write(inputs, request, step, placer)
        shapes = placer.finish()
        parts = {
            part.name: LoosePart(shapes[part.name], paths[part.name].stat().st_size, summers[part.name].finish())
            for part in spec.parts
        }
        aids, feedback = _seen(step, request.piece)
        return LooseResult(parts, sums, aids, feedback, time.monotonic() - began)


def place_loose(
    path: str, tensor: str, part: str, place: PartPlace, output: str, marker: str, master: str
) -> PieceResult:
    """Copies a loose tensor's part from the file of its own to its place in the output."""
    began = time.monotonic()
    shared = SharedFile(Path(output), Path(marker), flush=platform.node() != master)
    with shared as file, Path(path).open("rb") as stored:
        region = PieceWriter(tensor, part, place.offset, 0, place.nbytes, place.nbytes, file.write_at)
        while data := stored.read(COPY_BYTES):
            region.update(memoryview(data))
        written = {part: region.finish()}
    return PieceResult(written, (), None, None, time.monotonic() - began)


def _step(inputs: OpenedInputs, request: PieceRequest) -> Step:
    """The tensor with the decision about it, checked against what the decision says."""
    decision = request.decision
    tensor = inputs.source.tensor(decision.tensor.name)
    found, expected = (tensor.tag, tensor.shape), (decision.tensor.tag, decision.tensor.shape)
    if found != expected:
        what = "a worker reads another tensor under this name"
        raise ClusterError(what, file=request.inputs.source, tensor=tensor.name, found=found, expected=expected)
    aids = Aids() if decision.keep else inputs.aids[tensor.name]
    return Step(tensor, decision, aids, request.feedback)


def _regions(step: Step, request: PieceRequest, file: SharedFile) -> dict[str, PieceWriter]:
    """The part of each region that the piece fills."""
    if step.copied:
        assert step.source.record is not None
        names = [part.name for part in step.source.record.parts]
        runs = {name: (0, request.places[name].nbytes) for name in names}
    else:
        runs = _runs(step, request)
    return {
        name: PieceWriter(
            step.source.name, name, request.places[name].offset, *run, request.places[name].nbytes, file.write_at
        )
        for name, run in runs.items()
    }


def _runs(step: Step, request: PieceRequest) -> dict[str, tuple[int, int]]:
    """First byte and end of the piece in each part."""
    piece, spec = request.piece, registry[step.decision.tag]
    if piece.whole:
        return {part.name: (0, request.places[part.name].nbytes) for part in spec.parts}
    starts = piece.starts(spec, step)
    stored = part_bytes(spec, piece.shape, step.decision.params)
    return {name: (start, start + stored[name]) for name, start in starts.items()}


def _copy(step: Step, regions: dict[str, PieceWriter]) -> None:
    assert step.source.copy is not None
    assert step.source.record is not None
    for part in step.source.record.parts:
        for run in step.source.copy(part):
            regions[part.name].update(memoryview(run))


def _write(inputs: OpenedInputs, request: PieceRequest, step: Step, placer: PartsPlacer) -> tuple[ErrorSums, ...]:
    """Writes the piece's tiles in order, and gives the sums of their errors. Raises UsageError beyond the memory."""
    room = Room((step,), Execution(threads=request.threads, memory=request.memory))
    room.begin()
    sums, top = [], request.piece.top
    tasks = room.tasks([(step, _tasks(inputs, request, step))], inputs.factors.forget)
    for tile in in_order(tasks, room.threads, 2 * room.threads * TILE_WEIGHTS):
        assert tile is not None
        placer.write(tile.parts, first_row=tile.first_row - top)
        sums.append(tile.sums)
    return tuple(sums)


def _tasks(inputs: OpenedInputs, request: PieceRequest, step: Step) -> Iterator[Task[Any]]:
    piece = request.piece
    for matrix in range(piece.first, piece.last) if piece.weights else ():  # an empty tensor may have 2^60 matrices
        yield from tile_tasks(step, matrix, range(piece.top, piece.bottom), request.whole, inputs.factors)


def _result(
    request: PieceRequest, step: Step, regions: dict[str, PieceWriter], sums: tuple[ErrorSums, ...], began: float
) -> PieceResult:
    aids, feedback = _seen(step, request.piece)
    written = {name: region.finish() for name, region in regions.items()}
    return PieceResult(written, sums, aids, feedback, time.monotonic() - began)


def _seen(step: Step, piece: TensorPiece) -> tuple[bytes | None, FeedbackRecord | None]:
    """Digests of the calibration data; the tensor's first piece makes them for all."""
    if step.decision.keep or piece.first or piece.top:
        return None, None
    spec = registry[step.decision.tag]
    return aids_digest(step.aids.restricted(spec.sees)), feedback_record(step, hessian_digest)
