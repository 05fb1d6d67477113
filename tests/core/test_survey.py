"""Surveys of models: which tensors, what is said of each, and how it lies beside the original."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fourcc
from fourcc.analysis.statistics import Bin, Statistics
from fourcc.analysis.survey import Selection, middle, regrouped, survey
from fourcc.errors import UsageError
from fourcc.metrics import ErrorSums
from fourcc.sources import open_source


@pytest.fixture(scope="module")
def tiny(root: Path) -> Path:
    """The model of the repository: four layers."""
    return root / "fourcc" / "example" / "tiny.bin"


@pytest.fixture(scope="module")
def quantized(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model in four bits, without one of its layers."""
    path = tmp_path_factory.mktemp("survey") / "q.bin"
    fourcc.convert(tiny, path, policy=fourcc.Policy.shorthand("Q4_0,F16"), exclude=["layers.3.*"])
    return path


@pytest.mark.parametrize(
    ("selection", "expected"),
    [
        (Selection(), 38),
        (Selection(include=("*.wq",)), 4),
        (Selection(include=("*.w?",), exclude=("*.attention.*",)), 12),
        (Selection(role=("ffn.*", "norm")), 12 + 9),
        (Selection(layers="0, -1"), 18),
        (Selection(role=("attention.q",), layers=":1/2"), 2),
        (Selection(role=("output",)), 1),
    ],
)
def test_a_choice_of_tensors(tiny: Path, selection: Selection, expected: int) -> None:
    """By name, role and layer, all of which must hold; a tied embedding is the output, too."""
    with open_source(tiny) as source:
        assert len(selection.of(source)) == expected


@pytest.mark.parametrize(
    ("selection", "message"),
    [
        (Selection(include=("x*",)), r"--include 'x\*' matches no tensor"),
        (Selection(layers="a"), "--layers: found 'a', expected slices"),
        (Selection(role=("bias",)), "no tensor is left to look at"),
        (Selection(layers="9"), "no tensor is left to look at"),
    ],
)
def test_a_choice_of_nothing_is_refused(tiny: Path, selection: Selection, message: str) -> None:
    """With what was wrong."""
    with open_source(tiny) as source, pytest.raises(UsageError, match=message):
        selection.of(source)


def test_a_survey_from_python(tiny: Path) -> None:
    """Layers are chosen by number, name or slice; its repr is readable."""
    found = fourcc.stats(tiny, role=["attention.*"])
    assert len(found) == 16
    wq = found["layers.2.attention.wq"]
    assert (wq.roles, wq.layer, wq.shape, wq.tag, wq.bits_per_weight) == (("attention.q",), 2, (96, 96), "F32", 32)
    assert found[8] is wq
    assert [each.layer for each in found[2:6:2]] == [0, 1]
    with pytest.raises(KeyError):
        found["wq"]
    assert repr(wq).startswith("<Surveyed layers.2.attention.wq F32 96 x 96, std 0.1")
    lines = repr(found).splitlines()
    assert (lines[0], lines[9], lines[-1], len(lines)) == ("<Survey of 16 tensors", "  ... 6 more", ">", 13)
    assert "..." not in repr(found[:3])


def test_beside_the_original(tiny: Path, quantized: Path) -> None:
    """Errors are those of the decoded weights, and both histograms have the same bars."""
    found = fourcc.stats(quantized, against=tiny, include=["*attention.wq"])
    with fourcc.open(quantized) as model, open_source(tiny) as source:
        originals = {tensor.name: tensor for tensor in source.tensors}
        for each in found:
            original = originals[each.name].read(0, 0, each.shape[0])["values"]
            sums = ErrorSums.of(original, model[each.name].decode())
            assert each.error == sums
            assert each.before is not None
            assert each.now is not None
            assert [(a.low, a.high) for a in each.before.bins] == [(b.low, b.high) for b in each.now.bins]
            assert sum(bar.count for bar in each.before.bins) == original.size
    assert (found[0].before_tag, found[0].tag) == ("F32", "Q4_0")
    assert "SQNR 2" in repr(found[0])


def test_what_the_original_lacks_stands_alone(tiny: Path, quantized: Path) -> None:
    """The other way round a layer is missing."""
    found = fourcc.stats(tiny, against=quantized, include=["*attention.wq"])
    assert [each.before is None for each in found] == [False, False, False, True]
    assert found[3].now is not None


def test_a_missing_format_is_said_and_no_end(unknown_model: Path) -> None:
    """Other tensors are shown."""
    found = fourcc.stats(unknown_model, include=["layers.0.attention.w[qk]"])
    assert found[0].now is None
    assert "no installed package provides the format Nope" in str(found[0].undecoded)
    assert found[1].now is not None


@pytest.fixture(scope="module")
def unknown_model(quantized: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The quantized model with one tensor in a format that nobody has installed."""
    import attrs

    from fourcc.tags import as_tag
    from tests.cli.making import ODD, rewrite_index

    path = tmp_path_factory.mktemp("unknown") / "m.bin"
    rewrite_index(
        quantized,
        path,
        lambda index: attrs.evolve(
            index, tensors=tuple(t._replace(tag=as_tag("Nope")) if t.name == ODD else t for t in index.tensors)
        ),
    )
    return path


def test_the_numbers_do_not_depend_on_threads(tiny: Path) -> None:
    """Tiles are merged in their order."""
    with open_source(tiny) as source:
        one, three = (survey(source, Selection(layers="0"), threads=threads) for threads in (1, 3))
    assert [each.now for each in one] == [each.now for each in three]


def test_progress_counts_weights(tiny: Path) -> None:
    """It counts to the last weight."""
    calls: list[tuple[str, int, int]] = []
    with open_source(tiny) as source:
        survey(source, Selection(layers="0"), progress=lambda *call: calls.append(call))
    assert calls[-1][1] == calls[-1][2]
    assert len(calls) == 9


BARS = st.lists(st.integers(0, 9), min_size=1, max_size=40)


@given(BARS, st.integers(1, 12))
def test_regrouped_bars_hold_all_there_is(counts: list[int], wanted: int) -> None:
    """This holds for any range; a bar goes where its middle is."""
    bins = [Bin(number, number + 1, count) for number, count in enumerate(counts)]
    found = regrouped(bins, 0, len(counts), wanted)
    assert len(found) == wanted
    places = np.minimum((np.arange(len(counts)) + 0.5) / len(counts) * wanted, wanted - 1).astype(int)
    assert [bar.count for bar in found] == np.bincount(places, counts, wanted).tolist()
    part = regrouped(bins, 2, 3, wanted)
    assert sum(bar.count for bar in part) == sum(counts)
    assert (part[0].low, part[-1].high) == (2, pytest.approx(3))


def test_the_middle_is_four_deviations_wide_and_no_wider_than_the_range() -> None:
    """Notes of both sources, if there are two."""
    wide = Statistics(9, 0, -100.0, 2.0, 0.0, 1.0, of_codes=False, bins=())
    other = Statistics(9, 0, -1.0, 100.0, 1.0, 1.5, of_codes=False, bins=())
    assert middle(wide) == (-4, 2)
    assert middle(wide, other) == (-4, 7)
