"""Costs come from the encoder that will be used: with its calibration, its feedback, and its faults."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import numpy as np
import pytest

import fourcc
from fourcc import Blocks, Format, Parts, per_block, per_weight
from fourcc.calibration.costs import Costs, Option, Unit
from fourcc.calibration.measure import measure
from fourcc.calibration.reading import open_calibration
from fourcc.errors import InputError, NumericError, PluginError, UsageError
from fourcc.plugins.registry import registry
from tests.conftest import ROOT
from tests.core.seam_formats import ENTROPY, GPTQ
from tests.running.variants import HEADER, Checkpoint

FOLDER = ROOT / "fourcc" / "example"
MODEL, TOKENIZER, TEXT = FOLDER / "tiny.bin", FOLDER / "tiny_tokenizer.bin", FOLDER / "heldout.txt"
WQ, WO = "layers.0.attention.wq", "layers.0.attention.wo"


@pytest.fixture(scope="module")
def stories(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The text of the calibration: some stories of which the measuring text has none."""
    path = tmp_path_factory.mktemp("text") / "calib.txt"
    path.write_text("\n\n".join(TEXT.read_text().split("\n\n")[20:40]))
    return path


@pytest.fixture(scope="module")
def calibration(stories: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With Hessians."""
    path = tmp_path_factory.mktemp("calibration") / "model.calib"
    fourcc.calibrate(MODEL, stories, path, hessian=True, tokens=600, tokenizer=TOKENIZER)
    return path


def measured(**changes: Any) -> Costs:
    """Costs of the shipped model on the start of its text."""
    settings = {"options": "Q4_1,Q8_0", "tokens": 60, "threads": 1, "tokenizer": TOKENIZER, **changes}
    return measure(settings.pop("model", MODEL), settings.pop("text", TEXT), **settings)


def by_tag(unit: Unit) -> dict[str, Option]:
    """The options of a unit."""
    return {str(option.tag): option for option in unit.options}


def evaluated(folder: Path, tag: str, **settings: Any) -> float:
    """KL divergence of a converted model.bin in which one matrix has another format."""
    policy = f'version = 1\n[[rule]]\nmatch = "{WO}"\ntag = "{tag}"\n[[rule]]\nmatch = "*"\nkeep = true\n'
    fourcc.convert(MODEL, folder / "one.bin", policy=policy, tokenizer=TOKENIZER, **settings)
    result = fourcc.evaluate(
        folder / "one.bin", TEXT, reference=MODEL, tokenizer=TOKENIZER, tokens=60, activations="exact"
    )
    assert result.divergence is not None
    return result.divergence.mean


def test_encoders_get_the_importance(calibration: Path, tmp_path: Path) -> None:
    costs = measured(calibration=calibration)
    known = open_calibration(calibration)
    kld = by_tag(costs.unit(WO))["Q4_1"].kld
    assert kld == pytest.approx(evaluated(tmp_path, "Q4_1", calibration=known), rel=1e-5)
    assert kld != by_tag(measured().unit(WO))["Q4_1"].kld
    assert costs.calibration == known.digest
    assert costs.model == known.model


def test_encoders_use_the_feedback(calibration: Path, tmp_path: Path) -> None:
    costs = measured(calibration=calibration, feedback="gptq")
    known = open_calibration(calibration)
    judged = evaluated(tmp_path, "Q4_1", calibration=known, feedback="gptq")
    assert by_tag(costs.unit(WO))["Q4_1"].kld == pytest.approx(judged, rel=1e-5)
    assert costs.feedback == {"method": "gptq", "damping": 0.01, "order": "activity"}
    plain = measured(calibration=calibration)
    assert costs.unit("tok_embeddings") == plain.unit("tok_embeddings")  # is encoded without feedback
    assert costs.unit(WO) != plain.unit(WO)


def test_feedback_needs_hessians(stories: Path, tmp_path: Path) -> None:
    fourcc.calibrate(MODEL, stories, tmp_path / "plain.calib", tokens=100, tokenizer=TOKENIZER)
    for given in (None, tmp_path / "plain.calib"):
        with pytest.raises(UsageError, match=r"error feedback needs Hessians, and there is none\. .* --hessian"):
            measured(calibration=given, feedback="gptq")


def test_a_calibration_of_another_model_is_refused(calibration: Path, tmp_path: Path) -> None:
    plain = Checkpoint.read(MODEL)
    other = plain.write(tmp_path / "other.bin", plain.embedding * 2)
    with pytest.raises(UsageError, match="calibration of another model"):
        measured(model=other, calibration=calibration)


def test_a_text_that_the_calibration_knows_is_noted(calibration: Path, stories: Path) -> None:
    notes: list[str] = []
    measured(calibration=calibration, text=stories, note=notes.append)
    assert "calib.txt is the calibration's text, too: measure on another, else costs come out too low" in notes
    measured(calibration=calibration, note=notes.append)
    assert sum("calibration's text" in note for note in notes) == 1


# -- texts and models


def test_a_short_text_is_noted(tmp_path: Path) -> None:
    (tmp_path / "short.txt").write_text("Once upon a time")
    notes: list[str] = []
    costs = measured(text=tmp_path / "short.txt", note=notes.append)
    assert (
        f"the measuring text has {costs.tokens} tokens to score, fewer than 60: a longer one gives surer costs" in notes
    )


def test_a_text_without_a_token_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty.txt").write_text("")
    with pytest.raises(UsageError, match="the text has no token to score"):
        measured(text=tmp_path / "empty.txt")
    with pytest.raises(UsageError, match="the text is not UTF-8"):
        measured(text=MODEL)


def test_a_classifier_of_its_own_is_a_unit(tmp_path: Path) -> None:
    """The embedding is then measured by its look-ups alone; the classifier's other options are scaled."""
    plain = Checkpoint.read(MODEL)
    sizes = (*plain.sizes[:5], -plain.sizes[5], plain.sizes[6])
    untied = attrs.evolve(plain, sizes=sizes, rest=plain.rest + plain.embedding.tobytes())
    data = np.array(sizes, "<i4").tobytes() + plain.embedding.tobytes() + untied.rest
    assert len(data) > HEADER
    (tmp_path / "untied.bin").write_bytes(data)
    costs, tied = measured(model=tmp_path / "untied.bin"), measured()
    look_up, classifier = costs.unit("tok_embeddings"), costs.unit("output")
    assert (look_up.roles, classifier.roles) == (("embedding",), ("output",))
    assert (look_up.measured, classifier.measured) == ((0, 1), (0,))
    both = by_tag(tied.unit("tok_embeddings"))["Q4_1"]
    assert by_tag(classifier)["Q4_1"].output_error == both.output_error  # the same inputs
    each = [by_tag(unit)["Q4_1"].kld or 0 for unit in (look_up, classifier)]
    assert 0.3 * sum(each) < (both.kld or 0) < 3 * sum(each)


def test_damaged_weights_are_an_error(tmp_path: Path) -> None:
    plain = Checkpoint.read(MODEL)
    broken = plain.embedding.copy()
    broken[3, 7] = np.nan
    with pytest.raises(InputError, match="not finite"):
        measured(model=plain.write(tmp_path / "nan.bin", broken))


def test_what_lies_beside_the_options_is_refused() -> None:
    with pytest.raises(UsageError, match="no option fits a matrix of this model: found Q3_K"):
        measured(options="Q3_K")


# -- formats of plugins


def narrow(change: Callable[[Blocks], Parts]) -> Format:
    """A format of float16 weights whose encoder is given."""
    return Format(
        tag="Bad1",
        summary="for tests",
        block=8,
        parts=(per_block("scale", "f4"), per_weight("codes", "i1")),
        encode=change,
        decode=lambda parts, _: np.repeat(parts["scale"], 8, axis=1) * parts["codes"].astype(np.float32),
    )


def test_a_plugin_that_breaks_is_named_with_the_tensor() -> None:
    def breaks(blocks: Blocks) -> Parts:
        raise RuntimeError("no luck")

    with registry.trying(narrow(breaks)), pytest.raises(PluginError) as caught:
        measured(options="Bad1,Q8_0")
    text = str(caught.value)
    assert (
        f"{MODEL}, tensor 'tok_embeddings': encode of the format Bad1 (unpackaged 0) does not keep its contract" in text
    )
    assert "RuntimeError: no luck" in text
    assert "Leave Bad1 out of the options to measure the others." in text


def test_a_format_that_cannot_hold_the_weights_is_left_out_with_a_note() -> None:
    """Here its scale overflows for the embedding."""

    def limited(blocks: Blocks) -> Parts:
        scale = np.maximum(np.abs(blocks.w).max(axis=1), 1e-30) / 127
        codes = np.rint(blocks.w / scale[:, None]).astype(np.int8)
        if blocks.geom.rows > 200:
            scale[:], codes[:] = np.inf, 1
        return {"scale": scale, "codes": codes}

    notes: list[str] = []
    with registry.trying(narrow(limited)):
        costs = measured(options="Bad1,Q8_0", note=notes.append)
        assert set(by_tag(costs.unit("tok_embeddings"))) == {"Q8_0"}
        assert set(by_tag(costs.unit(WO))) == {"Bad1", "Q8_0"}
        assert "Bad1 cannot hold the weights of 1 of 29 units: tok_embeddings" in notes
        with pytest.raises(NumericError, match="too large for Bad1"):
            measured(options="Bad1")


def test_weights_that_overflow_in_the_network_are_an_error() -> None:
    """They are finite, but their products are not."""

    def huge(blocks: Blocks) -> Parts:
        return {"scale": np.full(len(blocks.w), 3e38, np.float32), "codes": np.ones(blocks.w.shape, np.int8)}

    with registry.trying(narrow(huge)), pytest.raises(InputError) as caught:
        measured(options="Bad1")
    assert str(caught.value).startswith(f"{MODEL}, tensor '{WQ}': with these encoded weights the logits are not finite")


def test_a_format_that_needs_calibration_data_gets_them(calibration: Path) -> None:
    with registry.trying(GPTQ):
        with pytest.raises(UsageError, match="the format Gptq needs the hessian"):
            measured(options="Gptq")
        assert set(by_tag(measured(options="Gptq", calibration=calibration).unit(WO))) == {"Gptq"}


def test_bytes_of_a_variable_length_are_those_that_were_stored() -> None:
    with registry.trying(ENTROPY), fourcc.open(MODEL) as source:
        option = by_tag(measured(options="Zent").unit(WO))["Zent"]
        assert option.nbytes == fourcc.encode(source[WO].decode(), "Zent").nbytes


def test_what_is_stored_in_an_option_already_costs_nothing(tmp_path: Path) -> None:
    fourcc.convert(MODEL, tmp_path / "q8.bin", format="Q8_0,F32", tokenizer=TOKENIZER)
    notes: list[str] = []
    costs = measured(model=tmp_path / "q8.bin", options="Q8_0,Q4_1", tokenizer=None, note=notes.append)
    option = by_tag(costs.unit(WO))["Q8_0"]
    assert (option.kld, option.output_error) == (0, 0)
    assert any(note.startswith("Q8_0 loses nothing in 25 of 25 units: ") for note in notes)
