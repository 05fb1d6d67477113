"""Converting with a calibration: what it changes, what it refuses, what it says."""

from pathlib import Path

import numpy as np
import pytest

import fourcc
from fourcc.calibration.calibration import Calibration
from fourcc.calibration.reading import open_calibration
from fourcc.container.reader import ModelFile
from fourcc.conversion.plan import plan
from fourcc.conversion.result import Result
from fourcc.errors import InputError, UsageError
from fourcc.format import Aids
from fourcc.policy import Policy
from tests.calibration.writing import dat, entry, imatrix
from tests.sources.writers import Arrays, gguf_name, llama, llama2c_v0

FORMAT = "Q4_1,F16"  # rows of 96 fit, those of 176 do not


@pytest.fixture(scope="module")
def tiny(root: Path) -> Path:
    """The shipped model."""
    return root / "fourcc" / "example" / "tiny.bin"


@pytest.fixture(scope="module")
def calibration(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Calibration:
    """A calibration of the shipped model, made from some of its text."""
    out = tmp_path_factory.mktemp("calibration") / "model.calib"
    tokenizer, text = tiny.with_name("tiny_tokenizer.bin"), tiny.with_name("heldout.txt")
    return fourcc.calibrate(tiny, text, out, tokenizer=tokenizer, documents=True, tokens=400, hessian=True)


def converted(tiny: Path, tmp_path: Path, calibration: Calibration | None, tags: str = FORMAT) -> Result:
    """The shipped model, converted."""
    return fourcc.convert(tiny, tmp_path / "model.bin", format=tags, calibration=calibration, force=True)


def test_a_path_is_no_calibration(tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"^a calibration is opened first: found .* Use `fourcc\.open_calibration`\.$"):
        fourcc.convert(tiny, tmp_path / "model.bin", format=FORMAT, calibration="model.calib")  # type: ignore[arg-type]


def test_importance_reaches_the_encoders(tiny: Path, tmp_path: Path, calibration: Calibration) -> None:
    """The bytes are those that the same importance gives by hand, and others than without."""
    found = converted(tiny, tmp_path, calibration).digest
    assert found != converted(tiny, tmp_path, None).digest
    by_hand = {name: Aids(each.importance[0]) for name, each in calibration.statistics.items()}
    assert found == fourcc.convert(tiny, tmp_path / "by_hand.bin", format=FORMAT, aids=by_hand).digest
    with ModelFile(tmp_path / "by_hand.bin") as model:
        weighed = {record.name for record in model.index.tensors if record.aids is not None}
    assert weighed == {name for name in calibration.statistics if not name.endswith("w2")}


def test_a_tensor_that_is_kept_has_no_aids(tiny: Path, calibration: Calibration) -> None:
    """Its Hessian is not even looked at."""
    with fourcc.open(tiny) as source:
        assert isinstance(source, fourcc.Source)
        steps = plan(source, Policy.chosen(format="Q4_1,F32"), calibration=calibration).steps
    assert any(step.decision.keep for step in steps)
    for step in steps:
        assert step.aids.empty == (step.decision.keep or step.source.name not in calibration.statistics)


def test_a_matrix_has_its_aids(tiny: Path, calibration: Calibration) -> None:
    """Hessians where they are asked for."""
    with fourcc.open(tiny) as source:
        assert isinstance(source, fourcc.Source)
        aids = calibration.aids(source)
        assert set(aids) == set(calibration.statistics)
        assert len(aids) == 29
        assert aids["tok_embeddings"].hessian is None
        hessian = calibration.aids(source, hessian=True)["layers.0.feed_forward.w2"].hessian
        assert hessian is not None
        assert hessian.shape == (176, 176)
        np.testing.assert_allclose(np.diagonal(hessian), aids["layers.0.feed_forward.w2"].importance, rtol=1e-5)


def test_another_model_is_refused(tmp_path: Path, calibration: Calibration) -> None:
    """By both digests; and a model.bin that keeps the weights is the same model."""
    other = tmp_path / "other.bin"
    other.write_bytes(llama2c_v0(*llama()))
    with pytest.raises(
        UsageError, match=rf"another model than .*other.bin: found {calibration.model}, expected \w{{32}}"
    ):
        fourcc.convert(other, tmp_path / "model.bin", format="Q4_1,F32", calibration=calibration)
    assert not (tmp_path / "model.bin").exists()


def test_the_same_weights_in_another_file(tiny: Path, tmp_path: Path, calibration: Calibration) -> None:
    """A model.bin that keeps them is the same model."""
    kept = tmp_path / "kept.bin"
    fourcc.convert(tiny, kept)
    found = fourcc.convert(kept, tmp_path / "from_kept.bin", format=FORMAT, calibration=calibration)
    converted(tiny, tmp_path, calibration)
    with ModelFile(found.path) as one, ModelFile(tmp_path / "model.bin") as other:
        for name in one:
            np.testing.assert_array_equal(one[name].decode(), other[name].decode())


def foreign(path: Path, sizes: dict[str, int], *, older: bool = False) -> Calibration:
    """An importance matrix that llama.cpp might have made, of matrices by fourcc's names."""
    names = {gguf_name(name): cols for name, cols in sizes.items()}
    if older:
        path.write_bytes(dat(*(entry(name, 2, np.arange(1, cols + 1)) for name, cols in names.items())))
    else:
        sums = {f"{name}.in_sum2": np.arange(1, cols + 1, dtype="<f4")[None] for name, cols in names.items()}
        path.write_bytes(imatrix({**sums, **{f"{name}.counts": np.array([[2]], "<f4") for name in names}}))
    return open_calibration(path)


@pytest.mark.parametrize("older", [False, True])
def test_a_foreign_file_is_taken(tiny: Path, tmp_path: Path, older: bool) -> None:
    """With a note that its model is not known; matrices that it lacks are encoded as without it."""
    name = "layers.1.attention.wv"
    known = foreign(tmp_path / "some.imatrix", {name: 96}, older=older)
    result = converted(tiny, tmp_path, known)
    assert "some.imatrix does not say what model it is of: only names and shapes were compared" in result.notes
    assert any(note.startswith("24 tensors without statistics in some.imatrix: tok_emb") for note in result.notes)
    assert [record.name for record in result.index.tensors if record.aids is not None] == [name]


def test_other_shapes_are_refused(tiny: Path, tmp_path: Path) -> None:
    """Even of a matrix whose format takes no importance."""
    known = foreign(tmp_path / "some.imatrix", {"layers.1.attention.wv": 95})
    with pytest.raises(
        InputError,
        match=r"some\.imatrix, tensor 'layers\.1\.attention\.wv': the statistics do not fit the tensor: found",
    ) as raised:
        converted(tiny, tmp_path, known)
    assert (raised.value.found, raised.value.expected) == ((1, 95), (1, 96))


def test_nothing_that_uses_it(tiny: Path, tmp_path: Path, calibration: Calibration) -> None:
    """Is said; tensors that are kept have no use for it."""
    says = "model.calib is not used: no tensor is encoded in a format that uses importance"
    assert converted(tiny, tmp_path, calibration, "Q8_A").notes == (says,)
    assert says in fourcc.convert(tiny, tmp_path / "kept.bin", calibration=calibration).notes


@pytest.mark.parametrize(
    ("tags", "said"),
    [
        ("Q8_A", ()),
        (
            "F16",
            (
                "model.calib is not used: no tensor is encoded in a format that uses importance",
                "error feedback is not used: no tensor is encoded in a format that takes it",
            ),
        ),
    ],
)
def test_feedback_is_a_use(
    tiny: Path, tmp_path: Path, calibration: Calibration, tags: str, said: tuple[str, ...]
) -> None:
    """Error feedback uses the calibration where no format uses importance; where nothing takes it, that is said."""
    plain = converted(tiny, tmp_path, calibration, tags).digest
    fed = fourcc.convert(tiny, tmp_path / "fed.bin", format=tags, calibration=calibration, feedback="gptq")
    assert fed.notes == said
    assert (fed.digest == plain) == bool(said)


def test_columns_without_data_are_said(tiny: Path, tmp_path: Path) -> None:
    """And how many there are."""
    name = "layers.1.attention.wv"
    sums = np.ones((1, 96), "<f4")
    sums[0, 5:8] = 0
    path = tmp_path / "some.imatrix"
    path.write_bytes(imatrix({f"{gguf_name(name)}.in_sum2": sums, f"{gguf_name(name)}.counts": np.array([[2]], "<f4")}))
    notes = converted(tiny, tmp_path, open_calibration(path)).notes
    assert f"3 columns without data, since the inputs were always 0: {name}" in notes


@pytest.mark.parametrize("shape", [(3, 64), (1, 192)])
def test_experts_have_their_own(tmp_path: Path, shape: tuple[int, int]) -> None:
    """Also in older files, which have one count for all of them; an expert without tokens is said."""
    name = "blk.0.ffn_up_exps.weight"
    weights: Arrays = {name: np.random.default_rng(0).standard_normal((3, 8, 64)).astype(np.float32)}
    np.savez(tmp_path / "model.npz", **weights)
    sums = np.arange(1, 193, dtype="<f4").reshape(shape)
    counts = np.array([[2], [0], [4]][: shape[0]], "<f4")
    path = tmp_path / "some.imatrix"
    path.write_bytes(imatrix({f"{name}.in_sum2": sums, f"{name}.counts": counts}))
    known = open_calibration(path)
    with fourcc.open(tmp_path / "model.npz") as source:
        assert isinstance(source, fourcc.Source)
        importance = known.aids(source)[name].importance
    means = sums.reshape(3, 64) / (np.array([[2], [1], [4]]) if shape[0] == 3 else 2)
    if shape[0] == 3:
        means[1] = 1
    np.testing.assert_allclose(importance, means)
    result = fourcc.convert(tmp_path / "model.npz", tmp_path / "model.bin", format="Q4_1", calibration=known)
    says = f"1 matrix without a token, so that all columns count alike: {name}"
    assert (says in result.notes) is (shape[0] == 3)
