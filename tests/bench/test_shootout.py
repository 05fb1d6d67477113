"""Shootouts: errors as a conversion makes them, the Pareto sets, and what becomes of formats that cannot take part."""

from collections.abc import Iterator
from fractions import Fraction
from functools import partial
from itertools import combinations
from pathlib import Path

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure

import fourcc
from fourcc.analysis.survey import Selection
from fourcc.bench.shootout.picture import draw_shootout
from fourcc.bench.shootout.results import Entrant, ProductSpeed, ShootoutResult, judged, unbeaten
from fourcc.bench.shootout.run import compete
from fourcc.bench.shootout.speeds import representative
from fourcc.bench.timing import Timing
from fourcc.errors import UsageError
from fourcc.format import Aids, Format
from fourcc.kernels.compiler.jit import uncompiled
from fourcc.sources import open_source
from fourcc.sources.source import Source
from tests.cli.making import write_safetensors
from tests.core.fakes import installed
from tests.core.pictures import assert_whole, drawn

RNG = np.random.default_rng(3)
FEW = ("Q8_0", "Q4_0", "Q8_A")


@pytest.fixture(scope="module")
def tiny(root: Path) -> Path:
    """The model of the repository."""
    return root / "fourcc" / "example" / "tiny.bin"


@pytest.fixture
def stack(tmp_path: Path) -> Iterator[Source]:
    """A matrix and two experts, whose columns differ in size."""
    sizes = np.geomspace(0.1, 3, 64)
    tensors = {"w": RNG.standard_normal((8, 64)) * sizes, "experts": RNG.standard_normal((2, 16, 64)) * sizes[::-1]}
    floats = {name: values.astype(np.float32) for name, values in tensors.items()}
    with open_source(write_safetensors(tmp_path / "x.safetensors", floats)) as source:
        yield source


def timed(seconds: float) -> ProductSpeed:
    """A speed of so many seconds."""
    return ProductSpeed("native", 1, 1, 512, Timing(seconds, seconds, 1), Timing(seconds, seconds, 1))


@given(st.lists(st.tuples(*[st.integers(0, 3)] * 3), max_size=12))
def test_the_pareto_set_is_what_no_other_beats(points: list[tuple[int, ...]]) -> None:
    """By its definition, pair by pair; equal points are in it together."""
    beaten = set()
    for one, other in [*combinations(points, 2), *((b, a) for a, b in combinations(points, 2))]:
        if all(np.less_equal(one, other)) and any(np.less(one, other)):
            beaten.add(other)
    assert unbeaten(points) == [point not in beaten for point in points]


def test_formats_that_fit_less_are_not_compared() -> None:
    """Their means are over other weights; a slow format may be beaten once speed counts, a fast one may come in."""
    best = Entrant("Best", "", 3, Fraction(4), 20.0, 0.1, 0.01, timed(2))
    fast = Entrant("Fast", "", 3, Fraction(5), 19.0, 0.11, 0.02, timed(1))
    slow = Entrant("Slow", "", 3, Fraction(5), 19.0, 0.11, 0.02, timed(3))
    part = Entrant("Part", "", 2, Fraction(3), 30.0, 0.01, 0.001, timed(1))
    gone = Entrant("Gone", "", reason="broken")
    found = judged([gone, slow, fast, best, part])
    assert [each.tag for each in found] == ["Part", "Best", "Fast", "Slow", "Gone"]
    assert [each.tag for each in found if each.compared] == ["Best", "Fast", "Slow"]
    assert [each.tag for each in found if each.on_front] == ["Best"]
    assert [each.tag for each in found if each.on_speed_front] == ["Best", "Fast"]


def test_errors_are_those_of_a_conversion(tiny: Path, tmp_path: Path) -> None:
    """If all weights are tried, the indices of converted files have the same sums and bits."""
    include = ["*.attention.w[qo]"]
    found = fourcc.shootout(tiny, options=FEW, include=include, sample=0, speed=False)
    for tag in FEW:
        fourcc.convert(tiny, tmp_path / tag, policy=fourcc.Policy.shorthand(tag), include=include)
        with fourcc.open(tmp_path / tag) as model, fourcc.open(tiny) as source:
            names = list(model)
            assert len(names) == found.tensors == found[tag].fits
            noise = sum(float(np.square(source[name].decode() - model[name].decode()).sum()) for name in names)
            signal = sum(float(np.square(source[name].decode().astype("f8")).sum()) for name in names)
            assert found[tag].relative_rmse == pytest.approx(np.sqrt(noise / signal), rel=1e-5)
            assert found[tag].sqnr_db == pytest.approx(10 * np.log10(signal / noise), abs=1e-4)
            stored = sum(model[name].nbytes for name in names)
            assert found[tag].bits == Fraction(8 * stored, found.weights)
            assert found[tag].output_error is None


def test_the_output_error_weighs_columns(stack: Source) -> None:
    """Each tensor has sum h e^2 / sum h w^2, each expert its own h; the mean is by number of weights."""
    h = {"w": RNG.uniform(0.1, 9, 64).astype("f4"), "experts": RNG.uniform(0.1, 9, (2, 64)).astype("f4")}
    aids = {name: Aids(importance=each) for name, each in h.items()}
    found = compete(stack, Selection(), ["Q4_0", "Q4_1"], aids, sample=0, speed=False)
    assert found.weighed == 2
    for tag in ("Q4_0", "Q4_1"):
        errors = []
        for name in ("w", "experts"):
            w = stack[name].decode()
            e = (fourcc.encode(w, tag, aids=aids[name]).decode() - w).astype("f8")
            weight = np.broadcast_to(h[name][..., None, :], w.shape)
            errors.append(float((weight * e**2).sum() / (weight * w.astype("f8") ** 2).sum()))
        assert found[tag].output_error == pytest.approx((512 * errors[0] + 2048 * errors[1]) / 2560, rel=1e-6)
        assert found[tag].error == found[tag].output_error


def test_tensors_without_importance_are_left_out_of_it(stack: Source) -> None:
    """And are counted."""
    aids = {"w": Aids(importance=np.ones(64, np.float32))}
    found = compete(stack, Selection(), ["Q4_0"], aids, speed=False)
    alone = compete(stack, Selection(include=("w",)), ["Q4_0"], aids, speed=False)
    assert (found.weighed, found.tensors) == (1, 2)
    assert found["Q4_0"].output_error == alone["Q4_0"].output_error


@pytest.mark.thorough
def test_threads_change_nothing(tiny: Path) -> None:
    """The sums have a fixed order."""
    one, several = (fourcc.shootout(tiny, layers="0:2", speed=False, threads=count) for count in (1, 3))
    assert one.entrants == several.entrants


def test_options_have_settings(tiny: Path) -> None:
    """Two encoders of one format are two entrants, in a text or one by one."""
    asked = "Q4_A,Q4_A:method=equal-count"
    found = fourcc.shootout(tiny, options=asked, layers="0", speed=False)
    assert found.entrants == fourcc.shootout(tiny, options=asked.split(","), layers="0", speed=False).entrants
    better, worse = found["Q4_A"], found["Q4_A:method=equal-count"]
    assert better.bits == worse.bits
    assert better.sqnr_db > worse.sqnr_db + 0.5
    assert (better.on_front, worse.on_front) == (True, False)


def test_a_calibration_gives_the_output_error(tiny: Path, tmp_path: Path) -> None:
    """From a file, or opened; one of another model is refused."""
    (tmp_path / "text.txt").write_text("Once upon a time there was a cat. " * 20, encoding="utf-8")
    tokenizer, file = tiny.with_name("tiny_tokenizer.bin"), tmp_path / "m.calib"
    known = fourcc.calibrate(tiny, tmp_path / "text.txt", file, tokenizer=tokenizer)
    asked = partial(fourcc.shootout, options="Q4_1", layers="0", speed=False)
    found = asked(tiny, calibration=file)
    assert found.weighed == found.tensors
    assert found["Q4_1"].output_error is not None
    assert found.entrants == asked(tiny, calibration=known).entrants
    assert found["Q4_1"].relative_rmse != asked(tiny)["Q4_1"].relative_rmse  # its encoder heeds the importance
    fourcc.convert(tiny, tmp_path / "other.bin", format="F16")
    with pytest.raises(UsageError, match="this is a calibration of another model"):
        asked(tmp_path / "other.bin", calibration=file)


def test_shapes_that_do_not_fit_say_why(tiny: Path) -> None:
    """Formats without any fitting tensor come last."""
    found = fourcc.shootout(tiny, options=["Q2_K", "Q8_A"], speed=False)
    assert found["Q2_K"].reason == "rows of 96 are not a multiple of 256"
    assert (found["Q2_K"].fits, found["Q2_K"].compared) == (0, False)
    assert [each.tag for each in found.entrants] == ["Q8_A", "Q2_K"]


def breaks(*_: object) -> None:
    """A function of a broken plugin."""
    raise ZeroDivisionError("of its own")


def test_a_broken_plugin_stops_nothing(tiny: Path) -> None:
    """It is listed with its reason, whether it breaks when it encodes or when it multiplies."""
    good = fourcc.registry["Q8_0"]
    encodes = attrs.evolve(good, tag="Bad1", foreign={}, encode=breaks, kernel=None)
    multiplies = attrs.evolve(good, tag="Bad2", foreign={}, kernel=breaks)
    with installed(encodes, multiplies):
        tags = ["Bad1", "Bad2", "Q8_0"]
        found = fourcc.shootout(tiny, options=tags, include=["layers.0.attention.*"], speed=not uncompiled())
    assert str(found["Bad1"].reason).startswith("layers.0.attention.wq: encode of the format Bad1 (fake 1.0) does not")
    assert not found["Bad1"].fits
    assert found["Bad2"].sqnr_db == found["Q8_0"].sqnr_db
    if not uncompiled():
        assert str(found["Bad2"].reason).startswith("no speed: no products with the format Bad2: its kernel cannot be")
        assert found["Bad2"].speed is None
        assert found["Q8_0"].speed is not None
        assert found["Q8_0"].on_speed_front


def test_a_format_may_need_what_there_is_not(stack: Source) -> None:
    """With the data it takes part."""
    greedy: Format = attrs.evolve(fourcc.registry["Q4_1"], tag="Need", foreign={}, needs=frozenset({"importance"}))
    aids = {name: Aids(importance=np.ones(64, np.float32)) for name in ("w", "experts")}
    with installed(greedy):
        without = compete(stack, Selection(), ["Need", "Q8_0"], speed=False)
        given = compete(stack, Selection(), ["Need", "Q8_0"], aids, speed=False)
    assert without["Need"].reason == "needs the importance of each tensor's inputs"
    assert given["Need"].fits == 2


def test_wrong_questions_are_refused(tiny: Path, stack: Source) -> None:
    """Each message names what is wrong."""
    with pytest.raises(UsageError, match="no installed package provides the format Nope"):
        fourcc.shootout(tiny, options=["Nope"])
    with pytest.raises(UsageError, match="the format I8 has no encoder"):
        fourcc.shootout(tiny, options=["I8"])
    with pytest.raises(UsageError, match="'8_Q' is not a tag"):
        fourcc.shootout(tiny, options=["8_Q"])
    with pytest.raises(UsageError, match="no matrix of real numbers is left"):
        fourcc.shootout(tiny, include=["norm"])
    with pytest.raises(UsageError, match="no format could be tried: found rows of 64 are not a multiple of 256"):
        compete(stack, Selection(), ["Q2_K"])


@pytest.mark.skipif(uncompiled(), reason="only compiled kernels are timed")
def test_products_are_those_of_the_largest_layer_matrix(tiny: Path) -> None:
    """The first of equals; the embedding belongs to no layer."""
    found = fourcc.shootout(tiny, options=["Q8_0"], exclude=["layers.0.feed_forward.*"])
    assert found.matrix == ("layers.1.feed_forward.w1", (176, 96))
    speed = found["Q8_0"].speed
    assert speed is not None
    assert speed.nbytes == 176 * 96 * 34 // 32
    assert found.rotation == found.weights // (176 * 96)
    assert speed.gb_s == pytest.approx(speed.nbytes / speed.single.median / 1e9)
    assert speed.gops == pytest.approx(2 * 512 * 176 * 96 / speed.many.median / 1e9)
    with open_source(tiny) as source:
        assert representative([each for each in source.tensors if each.name == "norm"]).name == "norm"


def test_the_picture_names_each_format_once(tiny: Path) -> None:
    """Names stand beside their marks, none over another; what loses nothing is nowhere on the picture."""
    result: ShootoutResult = fourcc.shootout(tiny, layers="0", include=["*.attention.*"], speed=False)
    figure = drawn(partial(draw_shootout, result=result, model=tiny))
    assert_whole(figure)
    named = [each.tag for each in result.entrants if each.compared and each.relative_rmse > 0]
    assert sorted(text.get_text() for text in figure.axes[0].texts) == sorted(named)
    bold = {text.get_text() for text in figure.axes[0].texts if text.get_fontweight() == "bold"}
    assert bold == {each.tag for each in result.entrants if each.on_front and each.relative_rmse > 0}
    assert figure.texts[0].get_text() == "tiny.bin: formats by size and error"
    lossless = partial(fourcc.shootout, tiny, options=["F32"], layers="0", speed=False)
    with pytest.raises(UsageError, match="there is nothing to draw"):
        draw_shootout(Figure(), lossless())
