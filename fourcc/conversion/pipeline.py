"""From a source's parts to a container's, tile by tile: read, decode, encode and measure on threads, write in order."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from math import prod
from types import MappingProxyType
from typing import TYPE_CHECKING

import attrs

from fourcc.arrays import Floats, Parts
from fourcc.container.index import ErrorRecord, FeedbackRecord, PartRecord, Provider, TensorRecord
from fourcc.conversion.measured_errors import error_record
from fourcc.conversion.sink import Sink
from fourcc.conversion.step import Step as Step  # noqa: PLC0414 - most look for it here
from fourcc.conversion.step_log import tell
from fourcc.conversion.step_need import encoded_weights
from fourcc.feedback.factors import Factors, hessian_digest
from fourcc.files.mapped import runs_of_rows
from fourcc.format import Aids, Format
from fourcc.geometry import Geometry, split_shape
from fourcc.matrix_encoder import MatrixEncoder, refuse_nonfinite, way_of_plugin
from fourcc.metrics import ErrorSums
from fourcc.plugins.registry import registry
from fourcc.rates.tally import remember_tallied
from fourcc.sources.source import SourceTensor
from fourcc.threads import Once, Task, in_order
from fourcc.tiles import TILE_WEIGHTS, decoded_rows, decoded_tile, read_tile, tile_bounds

if TYPE_CHECKING:
    from fourcc.conversion.memory_need import Room

NONE_DONE: Mapping[str, TensorRecord] = MappingProxyType({})


@attrs.frozen(eq=False)
class _Tile:
    first_row: int
    weights: int
    parts: Parts
    sums: ErrorSums


def transcode(
    steps: tuple[Step, ...],
    writer: Sink,
    providers: dict[Provider, int],
    room: Room,
    report: Callable[[str, int], None],
    done: Mapping[str, TensorRecord] = NONE_DONE,
) -> Iterator[TensorRecord]:
    """Writes the parts of every tensor and yields its record; add it to the writer before asking for the next one.

    Args:
        steps: the tensors, in the order of the file.
        writer: takes the parts.
        providers: the file's, numbered in the order in which they appear; extended here.
        room: how many tiles are worked on at once, and what memory they may take.
        report: called after every tile with the tensor's name and the tile's number of weights.
        done: records, but for their providers' numbers, of the tensors whose parts are already written.
    """
    budget = 2 * room.threads * TILE_WEIGHTS
    encoded = encoded_weights(steps)
    factors = Factors()
    left = (step for step in steps if step.source.name not in done)
    works = ((step, _tasks(step, encoded[step.decision.tag], factors)) for step in left)
    tiles = in_order(room.tasks(works, factors.forget), room.threads, budget)
    for step in steps:
        began = time.monotonic()
        if step.source.name in done:
            yield done[step.source.name]._replace(provider=number_of(providers, provider_of(step)))
            continue
        if step.copied:
            record = _copy(step, writer, providers)
            report(step.source.name, prod(step.source.shape))
        else:
            record = _collect(step, writer, providers, iter(partial(next, tiles), None), report)
        how = "copied" if step.copied else "kept" if step.decision.keep else "encoded"
        tell(record, how, step.source.tag, time.monotonic() - began)
        yield record
    remember_tallied(room.threads)


def _tasks(step: Step, whole: int, factors: Factors) -> Iterator[Task[_Tile | None]]:
    """The work on a tensor's tiles, matrix after matrix; the last task marks the tensor's end."""
    if step.copied:
        return
    lead, _, _ = split_shape(step.source.shape)
    for matrix in range(prod(lead) if prod(step.source.shape) else 0):  # an empty tensor may have 2^60 matrices
        yield from _keep_tasks(step, matrix) if step.decision.keep else _encode_tasks(step, matrix, whole, factors)
    yield Task(lambda: None)


def tile_tasks(step: Step, matrix: int, within: range, whole: int, factors: Factors) -> Iterator[Task[_Tile | None]]:
    """The work on those tiles of one matrix that begin within a range of rows.

    Args:
        step: a tensor that is not copied.
        matrix: number of the matrix.
        within: rows; its ends are those of tiles.
        whole: weights of all tensors that are encoded in the same format.
        factors: of Hessians.
    """
    if step.decision.keep:
        return _keep_tasks(step, matrix, within)
    return _encode_tasks(step, matrix, whole, factors, within)


def _bounds(within: range | None, rows: int, cols: int, *formats: Format) -> Iterator[tuple[int, int]]:
    """The tiles that begin within a range of rows; None: all."""
    return (tile for tile in tile_bounds(rows, cols, *formats) if within is None or tile[0] in within)


def _keep_tasks(step: Step, matrix: int, within: range | None = None) -> Iterator[Task[_Tile | None]]:
    fmt = step.source.format
    _, rows, cols = split_shape(step.source.shape)
    for first, last in _bounds(within, rows, cols, fmt):
        yield Task(partial(_keep, step, fmt, matrix, first, last), (last - first) * cols)


def _keep(step: Step, fmt: Format, matrix: int, first: int, last: int) -> _Tile:
    """A tile's parts as they are stored; real weights are searched for NaN and infinity first."""
    _, rows, cols = split_shape(step.source.shape)
    tile = read_tile(step.source, fmt, matrix, first, last)
    if fmt.real and not step.decision.nonfinite:
        hint = 'nonfinite = "keep" in the rule lets them through.'
        at = (matrix * rows + first) * cols
        refuse_nonfinite([(at, tile.decode())], tensor=step.source.name, hint=hint)
    return _Tile(first, (last - first) * cols, tile.parts, ErrorSums())


def _encode_tasks(
    step: Step, matrix: int, whole: int, factors: Factors, within: range | None = None
) -> Iterator[Task[_Tile | None]]:
    stored, wanted = step.source.format, registry[step.decision.tag]
    _, rows, cols = split_shape(step.source.shape)
    reader = partial(decoded_rows, step.source, stored, matrix)
    encoder = MatrixEncoder(
        wanted,
        Geometry(rows, cols, step.decision.params),
        step.decision.options,
        step.aids.of_matrix(matrix),
        name=step.source.name,
        first_index=matrix * rows * cols,
        nonfinite=step.decision.nonfinite,
        whole=whole,
        reader=reader,
        feedback=None if step.aids.unseen(matrix) else step.feedback,
        factors=factors,
    )
    shared = Once(partial(encoder.prepare, reader))
    for first, last in _bounds(within, rows, cols, stored, wanted):
        run = partial(_encode, step.source, stored, encoder, shared, matrix, first, last)
        yield Task(run, (last - first) * cols)


def _encode(
    source: SourceTensor,
    stored: Format,
    encoder: MatrixEncoder,
    shared: Once[object],
    matrix: int,
    first: int,
    last: int,
) -> _Tile:
    original = decoded_tile(source, stored, matrix, first, last, encoder.whole)
    parts, sums = encoder.tile(original, shared(), first)
    return _Tile(first, original.size, parts, sums)


def _collect(
    step: Step,
    writer: Sink,
    providers: dict[Provider, int],
    tiles: Iterable[_Tile | None],
    report: Callable[[str, int], None],
) -> TensorRecord:
    """Writes a tensor's tiles in the order in which they come, and returns its record."""
    decision, source = step.decision, step.source
    spec = registry[decision.tag]
    parts = writer.tensor(source.name, spec, source.shape, decision.params)
    sums = ErrorSums()
    for tile in tiles:
        assert tile is not None
        parts.write(tile.parts, first_row=tile.first_row)
        sums += tile.sums
        report(source.name, tile.weights)
    error = None if decision.keep else error_record(sums)
    aids = None if decision.keep else aids_digest(step.aids.restricted(spec.sees))
    provider = number_of(providers, provider_of(step))
    return new_record(step, parts.finish(), error, aids, provider, feedback_record(step, hessian_digest))


def new_record(
    step: Step,
    parts: tuple[PartRecord, ...],
    error: ErrorRecord | None,
    aids: bytes | None,
    provider: int | None,
    feedback: FeedbackRecord | None,
) -> TensorRecord:
    """The record of a tensor that is not copied.

    Args:
        step: the tensor.
        parts: the places of its bytes.
        error: of its weights; None where they are kept as stored.
        aids: digest of the calibration data that its encoder saw.
        provider: number of the package that provides the format.
        feedback: the error feedback; None where there was none.
    """
    decision, source = step.decision, step.source
    return TensorRecord(
        name=source.name,
        source_name=source.source_name,
        tag=decision.tag,
        shape=source.shape,
        params=decision.params,
        options={} if decision.keep else decision.options,
        parts=parts,
        rule=decision.rule,
        encoder_version=None if decision.keep else registry[decision.tag].encoder_version,
        error=error,
        aids=aids,
        provider=provider,
        feedback=feedback,
    )


def feedback_record(step: Step, digest: Callable[[Floats], bytes]) -> FeedbackRecord | None:
    """The error feedback with which a tensor is encoded; None where its format cannot take it. Raises PluginError.

    Args:
        step: the tensor.
        digest: of the Hessian.
    """
    given, hessian = step.feedback, step.aids.hessian
    if given is None or hessian is None:
        return None
    _, rows, cols = split_shape(step.source.shape)
    geom = Geometry(rows, cols, step.decision.params)
    way = way_of_plugin(registry[step.decision.tag], geom, step.decision.options, step.source.name)
    if way is None or not prod(step.source.shape):
        return None
    order = given.order if way == "codes" else "columns"
    return FeedbackRecord(given.method, float(given.damping), order, digest(hessian))


def _copy(step: Step, writer: Sink, providers: dict[Provider, int]) -> TensorRecord:
    """Copies a tensor from another container, with all that its index says of it."""
    source = step.source
    assert source.record is not None
    assert source.copy is not None
    parts = writer.copy(source.name, [(part, source.copy(part)) for part in source.record.parts])
    return copied_record(step, parts, number_of(providers, provider_of(step)))


def copied_record(step: Step, parts: tuple[PartRecord, ...], provider: int | None) -> TensorRecord:
    """The record of a tensor that is copied from another container: that container's, at its new place."""
    assert step.source.record is not None
    return step.source.record._replace(parts=parts, rule=step.decision.rule, provider=provider)


def provider_of(step: Step) -> Provider | None:
    """The package that provides a tensor's format: the one that another container names, where it is copied."""
    if step.copied:
        return step.source.provider
    entry = registry.entry(step.decision.tag)
    return Provider(entry.distribution, entry.version)


def number_of(providers: dict[Provider, int], provider: Provider | None) -> int | None:
    """The number of a provider in the file; a new one is added."""
    return None if provider is None else providers.setdefault(provider, len(providers))


def aids_digest(aids: Aids) -> bytes | None:
    """BLAKE2b-128 over the arrays that the encoder saw; None where it saw none."""
    arrays = [array for array in (aids.importance, aids.hessian) if array is not None]
    if not arrays:
        return None
    digest = hashlib.blake2b(digest_size=16)
    for array in arrays:
        for _, rows in runs_of_rows(array.reshape(prod(array.shape[:-1]), array.shape[-1])):
            digest.update(rows.tobytes())
    return digest.digest()
