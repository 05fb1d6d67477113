"""Rates that this machine remembers: a small JSON file in the cache folder, for each processor and version of fourcc.

A file appears whole, by renaming; of two processes that write at once, the later one's samples stay. A file that
cannot be read, or is not what it should be, counts as none; one that cannot be written is left out. A rate is a hint,
and no result depends on it.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from fourcc.compute.cache import cache_folder
from fourcc.rates.processor import processor_name
from fourcc.rates.sample import Sample

START, SUFFIX = "rates-", ".json"
SAMPLES = 5  # that are kept of a kind of work: the latest
KINDS = 400  # of work that are kept: the latest
MOST_BYTES = 1 << 20  # of a file that is read
FILES = 8  # that stay in the folder: the latest

Rates = dict[str, tuple[Sample, ...]]


def rate_files() -> list[Path]:
    """The files of all processors and versions."""
    with suppress(OSError):
        return sorted(
            path for path in cache_folder().iterdir() if path.name.startswith(START) and path.suffix == SUFFIX
        )
    return []


def rates_file() -> Path:
    """The file of this processor and this version; it need not exist."""
    try:
        ours = version("fourcc")
    except PackageNotFoundError:
        ours = ""
    facts = (processor_name(), str(os.cpu_count()), os.environ.get("FOURCC_SIMD", ""), ours)
    return cache_folder() / f"{START}{hashlib.blake2b(chr(0).join(facts).encode(), digest_size=6).hexdigest()}{SUFFIX}"


def remembered() -> Rates:
    """The samples of each kind of work, oldest first; empty where nothing is remembered."""
    try:
        with rates_file().open("rb") as file:
            found = json.loads(file.read(MOST_BYTES))
    except (OSError, ValueError, RecursionError):
        return {}
    kinds = found.get("rates") if isinstance(found, dict) else None
    if not isinstance(kinds, dict):
        return {}
    read = {kind: _samples(values) for kind, values in list(kinds.items())[-KINDS:]}
    return {kind: samples for kind, samples in read.items() if samples}


def _samples(values: object) -> tuple[Sample, ...]:
    read = map(Sample.read, values[-SAMPLES:] if isinstance(values, list) else ())
    return tuple(sample for sample in read if sample is not None)


def remember(samples: Mapping[str, Sample]) -> None:
    """Adds a sample of each kind of work; never an error."""
    rates = remembered()
    for kind, sample in samples.items():
        rates[kind] = (*rates.pop(kind, ()), sample)[-SAMPLES:]
    latest = dict(list(rates.items())[-KINDS:])
    plain = {kind: [sample.plain for sample in each] for kind, each in latest.items()}
    with suppress(OSError):
        _write(rates_file(), json.dumps({"machine": processor_name(), "rates": plain}, indent=0))
        _drop(rate_files())


def _write(path: Path, text: str) -> None:
    """Writes a file that appears whole."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle, name = tempfile.mkstemp(dir=path.parent, suffix=".new")  # what is left behind, `fourcc cache` clears
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _drop(files: Iterable[Path]) -> None:
    """Removes the oldest files, such as those of earlier versions."""
    for path in sorted(files, key=lambda path: path.stat().st_mtime)[:-FILES]:
        path.unlink(missing_ok=True)
