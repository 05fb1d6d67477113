"""A whole shootout: `fourcc.shootout`, and the same on an opened source."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import prod
from pathlib import Path
from types import MappingProxyType

import attrs

from fourcc.analysis.samples import SAMPLE
from fourcc.analysis.survey import Selection
from fourcc.bench.shootout.entry_list import EntryList, entry_list
from fourcc.bench.shootout.results import Entrant, ProductSpeed, ShootoutResult, judged
from fourcc.bench.shootout.speeds import TURNS, Race, representative
from fourcc.bench.shootout.trials import TensorTrial, totalled, trials
from fourcc.calibration.calibration import Calibration
from fourcc.calibration.reading import open_calibration
from fourcc.conversion.plan import as_globs
from fourcc.errors import UsageError
from fourcc.format import Aids
from fourcc.geometry import split_shape
from fourcc.kernels.compiler.jit import uncompiled
from fourcc.policy.asked_formats import TargetFormat
from fourcc.progress import OnProgress, counter
from fourcc.sources import open_source
from fourcc.sources.source import Source, SourceTensor
from fourcc.threads import thread_count

NOTHING: Mapping[str, Aids] = MappingProxyType({})


def shootout(  # noqa: PLR0913 - keyword-only, one an option of the command
    model: str | Path,
    *,
    options: str | Iterable[str] | None = None,
    calibration: str | Path | Calibration | None = None,
    include: Iterable[str] = (),
    exclude: Iterable[str] = (),
    role: Iterable[str] = (),
    layers: str = "",
    sample: int = SAMPLE,
    speed: bool = True,
    threads: int | None = None,
) -> ShootoutResult:
    """Compares all installed formats on a model's own tensors: size, error, and speed on this machine.

    Args:
        model: a checkpoint, or a model.bin.
        options: ``TAG[:NAME=VALUE]...[,TAG...]``, or such texts without commas; None: all formats that have an encoder
            of real numbers, with default settings.
        calibration: of this model; gives the output error, and to encoders what they use. None: there is none.
        include: globs of the names of tensors; none: all.
        exclude: globs of names left out.
        role: globs of roles, such as ``ffn.*``; none: any.
        layers: slices of layers, such as ``0:2, -1``; empty: all tensors.
        sample: weights of a tensor to try formats on, in whole rows spread evenly over it; 0: all.
        speed: whether products are timed, too. Only these figures differ from run to run.
        threads: number of threads; None: ``FOURCC_THREADS``, or all cores.

    Raises:
        FourccError: the model cannot be read, no tensor is left, or no format can be tried.
    """
    selection = Selection(as_globs(include), as_globs(exclude), as_globs(role), layers)
    with open_source(model) as source:
        aids = aids_of(calibration, source)
        return compete(source, selection, options, aids, sample=sample, speed=speed, threads=threads)


def aids_of(calibration: str | Path | Calibration | None, source: Source) -> Mapping[str, Aids]:
    """Data that a calibration, or its file, has of a source's tensors. Raises as `Calibration.check` and `aids` do."""
    if calibration is None:
        return NOTHING
    known = open_calibration(calibration) if isinstance(calibration, (str, Path)) else calibration
    known.check(source)
    return known.aids(source, hessian=bool(known.hessians))


def compete(  # noqa: PLR0913 - as `shootout`
    source: Source,
    selection: Selection,
    options: str | Iterable[str] | None = None,
    aids: Mapping[str, Aids] = NOTHING,
    *,
    sample: int = SAMPLE,
    speed: bool = True,
    threads: int | None = None,
    progress: OnProgress | None = None,
) -> ShootoutResult:
    """Compares formats on the selected matrices of an opened source.

    Args:
        source: the source.
        selection: selects its tensors.
        options: as `shootout` takes them.
        aids: calibration data by the tensors' names.
        sample: number of weights of a tensor that are encoded; 0: all.
        speed: whether products are timed, too.
        threads: number of threads.
        progress: called after every tensor, and after every turn of a format's products.

    Raises:
        UsageError: there is no matrix, or no format can be tried on any.
        PluginError: the format of a tensor is missing or broken.
        InputError: bytes are damaged.
    """
    asked = options.split(",") if isinstance(options, str) else options
    team, entries = thread_count(threads), entry_list(asked, _known(aids))
    tensors, times = _matrices(source, selection), speed and not uncompiled()
    formats = [target for target, _ in entries.formats]
    count = counter(len(tensors) + (TURNS * len(formats) if times else 0), progress)
    tried = trials(tensors, formats, aids, sample=sample, threads=team, count=count)
    entrants = [totalled(target, owner, index, tried) for index, (target, owner) in enumerate(entries.formats)]
    if not any(each.fits for each in entrants):
        reason = next((each.reason for each in (*entrants, *entries.out)), None)
        raise UsageError("no format could be tried", file=source.path, found=reason)
    race = Race(representative(tensors), sum(prod(each.shape) for each in tensors), team)
    if times:
        racing = [
            each for each, entrant in zip(formats, entrants, strict=True) if entrant.fits and _fits(each, race.tensor)
        ]
        entrants = _timed(entrants, race.run(racing, aids.get(race.tensor.name, Aids()), count))
    return _result(tried, aids, race, entrants, entries)


def _fits(target: TargetFormat, tensor: SourceTensor) -> bool:
    return target.format.misfit(tensor.shape, target.params) is None


def _known(aids: Mapping[str, Aids]) -> frozenset[str]:
    """Names of the calibration data that any tensor has."""
    names = ("importance", "hessian")
    return frozenset(name for name in names if any(getattr(each, name) is not None for each in aids.values()))


def _matrices(source: Source, selection: Selection) -> list[SourceTensor]:
    tensors = [each for each in selection.of(source) if each.format.real]
    matrices = [each for each in tensors if len(each.shape) > 1 and 0 not in each.shape]
    if not matrices:
        raise UsageError("no matrix of real numbers is left", file=source.path, hint="`fourcc inspect` lists tensors.")
    return matrices


def _timed(entrants: list[Entrant], speeds: Mapping[str, ProductSpeed | str]) -> list[Entrant]:
    """The entrants with their speeds, or why they have none."""
    found = []
    for each in entrants:
        speed = speeds.get(each.tag)
        reason = each.reason or (speed if isinstance(speed, str) else None)
        timed = speed if isinstance(speed, ProductSpeed) else None
        found.append(attrs.evolve(each, speed=timed, reason=reason))
    return found


def _result(
    tried: Sequence[TensorTrial], aids: Mapping[str, Aids], race: Race, entrants: Sequence[Entrant], entries: EntryList
) -> ShootoutResult:
    timed = any(each.speed is not None for each in entrants)
    return ShootoutResult(
        tensors=len(tried),
        weights=race.weights,
        sampled=sum(trial.sampled for trial in tried),
        weighed=sum(aids.get(trial.tensor.name, Aids()).importance is not None for trial in tried),
        matrix=(race.tensor.name, split_shape(race.tensor.shape)[1:]) if timed else None,
        rotation=race.copies if timed else 0,
        threads=race.threads,
        entrants=judged([*entrants, *entries.out]),
    )
