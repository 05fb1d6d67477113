"""Records of tensors that come from a journal: any of them may be there, wherever they lie and whoever made them."""

import random
import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import safetensors.numpy

import fourcc
from fourcc.container.layout import HEAD_BYTES, aligned
from fourcc.conversion.done_tensors import in_their_places, journal_entry, record_of
from fourcc.conversion.file_size import parts_from
from fourcc.conversion.plan import plan
from fourcc.files.unfinished import beside
from fourcc.format import Aids
from fourcc.plugins.registry import registry
from fourcc.policy import Policy
from fourcc.sources import open_source
from tests.core.seam_formats import ENTROPY, OUTLIERS

NAMES = [f"w{number}" for number in range(8)]
POLICY = """
version = 1
[[rule]]
match = "w[25]"
tag = "Zent"
[[rule]]
match = "w7"
tag = "Outl"
[[rule]]
match = "w[01]"
tag = "Q4_K"
[[rule]]
match = "*"
tag = "Q8_0"
"""


@pytest.fixture(scope="module", autouse=True)
def plugins() -> Iterator[None]:
    """Formats of two packages, with parts of variable length."""
    with ExitStack() as stack:
        stack.enter_context(registry.trying(ENTROPY, ("fourcc-entropy", "1.2")))
        stack.enter_context(registry.trying(OUTLIERS, ("fourcc-outliers", "3")))
        yield


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight matrices."""
    rng = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("source") / "a.npz"
    np.savez(path, **{name: rng.standard_normal((24, 256), dtype=np.float32) for name in NAMES})
    return path


def converted(source: Path, output: Path, *, last: str | None = None, **more: Any) -> bytes | None:
    """The bytes of a conversion; None where it is interrupted at a tensor."""

    def stop(name: str, *_: object) -> None:
        if name == last:
            raise KeyboardInterrupt

    try:
        fourcc.convert(source, output, **{"policy": POLICY, "threads": 1, "progress": stop} | more)
    except KeyboardInterrupt:
        return None
    return output.read_bytes()


def kept_lines(journal: Path, names: set[str]) -> None:
    """Takes the lines of all other tensors out of a journal."""
    head, *units = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(head + b"".join(line for line in units if any(f'"{name}"'.encode() in line for name in names)))


@pytest.mark.parametrize("seed", range(12))
def test_any_set_of_tensors_may_be_done(source: Path, tmp_path: Path, seed: int) -> None:
    """Not only the first ones; behind a part of variable length that is not there, all are done again."""
    expected = converted(source, tmp_path / "whole.bin")
    output = tmp_path / "model.bin"
    assert converted(source, output, last="w6") is None
    left = set(random.Random(seed).sample(NAMES[:6], 3))
    kept_lines(beside(output, ".journal"), left)
    with (part := beside(output, ".part")).open("r+b") as file:
        file.truncate(part.stat().st_size)
    assert converted(source, output, resume=True) == expected


def test_places_are_those_of_the_writer(source: Path, tmp_path: Path) -> None:
    """Every part's, in every format that is known: a record counts only where a writer would put it."""
    converted(source, tmp_path / "whole.bin")
    with open_source(source) as opened, fourcc.open(tmp_path / "whole.bin") as model:
        steps = plan(opened, Policy.parse(POLICY)).steps
        records = {record.name: record for record in model.index.tensors}
        assert dict(in_their_places(steps, records, HEAD_BYTES)) == records
        later = {name: record for name, record in records.items() if name != "w2"}
        assert list(dict(in_their_places(steps, later, HEAD_BYTES))) == ["w0", "w1"]
        moved = records | {"w1": records["w3"]._replace(name="w1")}
        assert "w1" not in dict(in_their_places(steps, moved, HEAD_BYTES))
        offset = HEAD_BYTES
        for step in steps[:2]:
            places = [(part.name, part.offset, part.nbytes) for part in parts_from(step, offset)]
            assert places == [(part.name, part.offset, part.nbytes) for part in records[step.source.name].parts]
            offset = aligned(places[-1][1] + places[-1][2])


def test_records_come_back(source: Path, tmp_path: Path) -> None:
    """As they were, but for the number of the provider, which the file counts."""
    aids = {name: Aids(np.ones(256, np.float32), np.eye(256, dtype=np.float32)) for name in NAMES}
    converted(source, tmp_path / "whole.bin", aids=aids, feedback="gptq")
    with open_source(source) as opened, fourcc.open(tmp_path / "whole.bin") as model:
        steps = plan(opened, Policy.parse(POLICY), aids=aids, feedback="gptq").steps
        assert sum(record.feedback is not None for record in model.index.tensors) > 2
        for step, record in zip(steps, model.index.tensors, strict=True):
            assert record_of(step, journal_entry(record)) == record._replace(provider=None)


@pytest.mark.parametrize("last", ["w1", "w4", "w6"])
def test_calibration_data_and_feedback(source: Path, tmp_path: Path, last: str) -> None:
    """Their digests and settings are in the records, and the packages of formats have the same numbers."""
    rng = np.random.default_rng(1)
    x = rng.standard_normal((400, 256), dtype=np.float32)
    aids = {name: Aids((x * x).mean(0), x.T @ x / 400) for name in NAMES}
    more = {"aids": aids, "feedback": "gptq"}
    expected = converted(source, tmp_path / "whole.bin", **more)
    assert converted(source, tmp_path / "model.bin", last=last, **more) is None
    assert converted(source, tmp_path / "model.bin", resume=True, **more) == expected


def test_a_copy(source: Path, tmp_path: Path) -> None:
    """Tensors that are copied from a model.bin, whose packages, rules and policy go with them."""
    converted(source, tmp_path / "first.bin")
    expected = converted(tmp_path / "first.bin", tmp_path / "whole.bin", policy=None)
    again = Path(shutil.copy(tmp_path / "first.bin", tmp_path / "second.bin"))
    assert converted(again, tmp_path / "model.bin", policy=None, last="w6") is None
    assert converted(again, tmp_path / "model.bin", policy=None, resume=True) == expected


def test_threads(source: Path, tmp_path: Path) -> None:
    """The work may go on with other threads than it began with."""
    expected = converted(source, tmp_path / "whole.bin", threads=2)
    assert converted(source, tmp_path / "model.bin", threads=3, last="w4") is None
    assert converted(source, tmp_path / "model.bin", threads=1, resume=True) == expected


def test_an_empty_model(tmp_path: Path) -> None:
    """There is nothing to go on with."""
    safetensors.numpy.save_file({}, tmp_path / "none.safetensors")
    first = converted(tmp_path / "none.safetensors", tmp_path / "a.bin", policy=None)
    assert converted(tmp_path / "none.safetensors", tmp_path / "b.bin", policy=None, resume=True) == first
