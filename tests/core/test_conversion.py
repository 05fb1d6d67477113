"""Plan and pipeline, on sources made in memory: what is kept, what is encoded, what is refused."""

from collections.abc import Callable, Mapping
from math import prod
from pathlib import Path

import numpy as np
import pytest

import fourcc
from fourcc.arrays import Array, Parts
from fourcc.conversion.carrying_out import execute
from fourcc.conversion.plan import plan
from fourcc.errors import NumericError, OutputError, PluginError, SourceError, UsageError
from fourcc.execution import Execution
from fourcc.format import Aids
from fourcc.policy import Policy
from fourcc.sources.model_bin import open_model_bin
from fourcc.sources.source import Source, SourceTensor
from fourcc.tags import as_tag

Builder = Callable[..., Source]


def tensor(name: str, values: Array) -> SourceTensor:
    """A tensor of float32 in memory."""
    rows, cols = values.shape[-2:] if values.ndim > 1 else (1, values.size)
    stack = values.reshape(prod(values.shape[:-2]), rows, cols)

    def read(matrix: int, first: int, last: int) -> Parts:
        return {"values": stack[matrix, first:last]}

    tag = {"f": "F32", "i": "I64", "d": "F64"}[values.dtype.char.replace("l", "i")]
    return SourceTensor(name=name, source_name=f"their.{name}", shape=values.shape, tag=as_tag(tag), read=read)


def source(tensors: Mapping[str, Array], files: tuple[Path, ...] = ()) -> Source:
    """A checkpoint in memory."""
    listed = tuple(tensor(name, values) for name, values in tensors.items())
    return Source(Path("memory"), "memory", listed, files, hyper={"dim": 64}, blobs={"tokenizer.bin": b"tokens"})


def normal(*shape: int, seed: int = 0) -> Array:
    """Gaussian weights."""
    return np.random.default_rng(seed).standard_normal(shape, np.float32)


def test_keep_carries_every_value_bit_for_bit(tmp_path: Path) -> None:
    """The default policy: floats, integers, a scalar, experts, an empty tensor."""
    tensors = {
        "matrix": normal(300, 70),
        "experts": normal(3, 5, 33, seed=1),
        "vector": normal(9, seed=2),
        "scalar": np.array(2.5, np.float32),
        "empty": np.zeros((0, 4), np.float32),
        "counts": np.array([[-(2**60), 7]], np.int64),
    }
    execute(plan(source(tensors), Policy.keep()), tmp_path / "model.bin")
    with fourcc.open(tmp_path / "model.bin") as model:
        assert list(model) == list(tensors)
        for name, values in tensors.items():
            decoded = model[name].decode()
            assert decoded.dtype == values.dtype
            assert decoded.shape == values.shape
            assert decoded.tobytes() == values.tobytes()
        assert model.blob("tokenizer.bin") == b"tokens"
        assert model.index.hyper == {"dim": 64}
        assert model.record("matrix").source_name == "their.matrix"


@pytest.mark.parametrize("formats", ["Q8_A", "Q8_B", "Q4_A", "Q4_0,F16", "Q8_0,F16", "BF16"])
def test_bytes_depend_on_nothing_but_the_input(tmp_path: Path, formats: str) -> None:
    """Any number of threads gives the same file, and the file decodes as the array encoded in memory does."""
    tensors = {"layers.0.a": normal(1500, 288), "layers.0.e": normal(2, 130, 64, seed=1)}
    planned = plan(source(tensors), Policy.shorthand(formats))
    for threads in (1, 2, 5):
        execute(planned, tmp_path / f"{threads}.bin", Execution(threads=threads))
    assert len({(tmp_path / f"{threads}.bin").read_bytes() for threads in (1, 2, 5)}) == 1
    with fourcc.open(tmp_path / "1.bin") as model:
        for name, values in tensors.items():
            expected = fourcc.encode(values, model[name].tag)
            np.testing.assert_array_equal(model[name].decode(), expected.decode())


def test_the_stored_error_is_the_real_one(tmp_path: Path) -> None:
    """Relative RMSE, SQNR and largest error, computed again from the decoded weights."""
    values = normal(700, 512)
    execute(plan(source({"w": values}), Policy.shorthand("Q4_0")), tmp_path / "model.bin")
    with fourcc.open(tmp_path / "model.bin") as model:
        error = values.astype(np.float64) - model["w"].decode()
        stored = model.record("w").error
    assert stored is not None
    ratio = np.sum(error**2) / np.sum(values.astype(np.float64) ** 2)
    assert stored.relative_rmse == pytest.approx(np.sqrt(ratio), rel=1e-5)
    assert stored.sqnr_db == pytest.approx(-10 * np.log10(ratio), rel=1e-5)
    assert stored.max_error == pytest.approx(np.abs(error).max(), rel=1e-5)


@pytest.mark.parametrize("formats", [None, "F32", "Q8_B"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_nonfinite_weights_are_refused_by_name(tmp_path: Path, formats: str | None, value: float) -> None:
    """They are refused whatever the tensor becomes; the old output stays."""
    values = normal(4000, 128)
    values[3000, 5] = values[3999, 127] = value
    output = tmp_path / "model.bin"
    output.write_bytes(b"old")
    policy = Policy.keep() if formats is None else Policy.shorthand(formats)
    with pytest.raises(
        NumericError, match=r"^memory, tensor 'layers.0.w': .*not finite, the first at flat index 384005"
    ):
        execute(plan(source({"layers.0.w": values}), policy), output)
    assert [path.name for path in tmp_path.iterdir()] == ["model.bin"]
    assert output.read_bytes() == b"old"


def test_a_rule_may_let_nonfinite_weights_through(tmp_path: Path) -> None:
    """To a format that can hold them."""
    values = np.array([[1, np.inf], [np.nan, -2]], np.float32)
    text = 'version = 1\n[[rule]]\nmatch = "*"\ntag = "F16"\nnonfinite = "keep"\n'
    execute(plan(source({"w": values}), Policy.parse(text)), tmp_path / "model.bin")
    with fourcc.open(tmp_path / "model.bin") as model:
        np.testing.assert_array_equal(model["w"].decode(), values)


def test_weights_too_large_for_the_format_are_refused(tmp_path: Path) -> None:
    """Finite weights whose scale is beyond float16."""
    with pytest.raises(NumericError, match="finite but too large for Q8_0"):
        execute(plan(source({"w": normal(4, 32) * np.float32(1e9)}), Policy.shorthand("Q8_0")), tmp_path / "m.bin")


def test_include_and_exclude() -> None:
    """Globs on names; one that matches nothing is an error."""
    opened = source({"a.x": normal(2, 32), "a.y": normal(2, 32), "b.x": normal(2, 32)})
    planned = plan(opened, Policy.keep(), include=["a.*"], exclude=["*.y"])
    assert [step.source.name for step in planned.steps] == ["a.x"]
    with pytest.raises(UsageError, match=r"--exclude 'c\*' matches no tensor"):
        plan(opened, Policy.keep(), exclude=["c*"])


def test_a_part_of_a_model_is_decided_as_in_the_whole() -> None:
    """Rules for tensors that are left out are no idle rules, and layers are counted in the whole model."""
    text = 'version = 1\n[[rule]]\nlayers = "1/2:"\ntag = "F16"\n[[rule]]\nmatch = "b.*"\ntag = "F32"\n'
    opened = source({"layers.0.w": normal(2, 2), "layers.1.w": normal(2, 2), "b.w": normal(2, 2)})
    planned = plan(opened, Policy.parse(text), include=["layers.1.*"])
    assert [str(step.decision.tag) for step in planned.steps] == ["F16"]
    with pytest.raises(UsageError, match=r"no rule matches 'layers\.0\.w'"):
        plan(opened, Policy.parse(text), include=["layers.*"])


def test_a_model_bin_is_copied_with_what_was_said_of_it(tmp_path: Path) -> None:
    """Kept tensors keep their bytes, options, measured error and provider."""
    execute(plan(source({"w": normal(64, 256)}), Policy.shorthand("Q4_A")), tmp_path / "first.bin")
    with open_model_bin(tmp_path / "first.bin") as opened:
        execute(plan(opened, Policy.keep()), tmp_path / "second.bin")
    with fourcc.open(tmp_path / "first.bin") as first, fourcc.open(tmp_path / "second.bin") as second:
        one, two = first.record("w"), second.record("w")
        assert (one.error, one.options, one.encoder_version) == (two.error, two.options, two.encoder_version)
        assert first["w"].parts["q"].tobytes() == second["w"].parts["q"].tobytes()
        assert second.index.providers == first.index.providers
        assert second.blob("tokenizer.bin") == b"tokens"


def test_a_damaged_model_bin_is_not_converted(tmp_path: Path) -> None:
    """A part is checked before it is used, whether it is copied or decoded."""
    execute(plan(source({"w": normal(64, 256)}), Policy.keep()), tmp_path / "first.bin")
    data = bytearray((tmp_path / "first.bin").read_bytes())
    data[1000] ^= 1
    (tmp_path / "first.bin").write_bytes(data)
    for policy in (Policy.keep(), Policy.shorthand("Q8_0")):
        with open_model_bin(tmp_path / "first.bin") as opened, pytest.raises(fourcc.FourccError, match="is damaged"):
            execute(plan(opened, policy), tmp_path / "second.bin")
    assert not (tmp_path / "second.bin").exists()


def test_a_source_that_changes_meanwhile_is_refused(tmp_path: Path) -> None:
    """Size or time of a file that was read are not what they were."""
    file = tmp_path / "source"
    file.write_bytes(b"weights")
    planned = plan(source({"w": normal(4, 32)}, (file,)), Policy.keep())
    with pytest.raises(SourceError, match="changed while it was converted"):
        execute(planned, tmp_path / "model.bin", Execution(progress=lambda *_: file.write_bytes(b"other weights")))
    assert not (tmp_path / "model.bin").exists()


def test_free_space_is_checked_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message has both numbers; nothing is begun."""
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 1000}))
    with pytest.raises(OutputError, match="not enough space on the disk: found 1000 bytes free, expected"):
        execute(plan(source({"w": normal(4, 32)}), Policy.keep()), tmp_path / "model.bin")
    assert not list(tmp_path.iterdir())


def test_progress_ends_at_the_whole(tmp_path: Path) -> None:
    """Weights done never fall, and add up."""
    seen: list[tuple[int, int]] = []
    planned = plan(source({"a": normal(2000, 256), "b": normal(7)}), Policy.shorthand("Q8_B"))
    execute(planned, tmp_path / "model.bin", Execution(progress=lambda _, done, total: seen.append((done, total))))
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)
    assert seen[-1] == (planned.weights, planned.weights)


def test_the_first_error_is_raised_and_the_work_stops(tmp_path: Path) -> None:
    """A reader that fails in the middle, on several threads."""
    opened = source({"w": normal(40000, 64)})

    def read(_: int, first: int, last: int) -> Parts:
        if first > 4096:
            raise SourceError("the disk is on fire", offset=first)
        return {"values": normal(last - first, 64)}

    broken = SourceTensor("w", "w", (40000, 64), as_tag("F32"), read)
    opened = Source(Path("memory"), "memory", (broken,), ())
    with pytest.raises(SourceError, match="the disk is on fire"):
        execute(plan(opened, Policy.shorthand("Q8_B")), tmp_path / "model.bin", Execution(threads=3))
    assert not list(tmp_path.iterdir())


def test_aids_are_of_no_use_to_a_format_that_does_not_ask(tmp_path: Path) -> None:
    """Calibration data given for a plain format changes no byte, and is not recorded."""
    opened = source({"w": normal(8, 64)})
    aids = {"w": Aids(importance=np.ones(64, np.float32))}
    execute(plan(opened, Policy.shorthand("Q8_0"), aids=aids), tmp_path / "with.bin")
    execute(plan(opened, Policy.shorthand("Q8_0")), tmp_path / "without.bin")
    assert (tmp_path / "with.bin").read_bytes() == (tmp_path / "without.bin").read_bytes()


def test_an_unknown_format_cannot_be_encoded_from(tmp_path: Path) -> None:
    """Keeping needs no format; decoding does, and says so before anything is written."""
    execute(plan(source({"w": normal(8, 64)}), Policy.keep()), tmp_path / "model.bin")
    with open_model_bin(tmp_path / "model.bin") as opened:
        foreign = [
            SourceTensor("w", "w", t.shape, as_tag("Zz9"), t.read, record=t.record, copy=t.copy) for t in opened.tensors
        ]
        strange = Source(Path("memory"), "model.bin", tuple(foreign), ())
        assert plan(strange, Policy.keep()).steps[0].decision.keep
        with pytest.raises(PluginError, match="no installed package provides the format Zz9"):
            plan(strange, Policy.shorthand("Q8_0"))


def test_format_and_recipe_are_the_words_of_the_command_line(root: Path, tmp_path: Path) -> None:
    """Shorthands write the files of the policies that they stand for."""
    given: list[tuple[dict[str, str], Policy]] = [
        ({"format": "Q4_0,F16"}, Policy.shorthand("Q4_0,F16")),
        ({"recipe": "Q8_0"}, Policy.recipe("Q8_0")),
    ]
    tiny = root / "fourcc/example/tiny.bin"
    for words, policy in given:
        short = fourcc.convert(tiny, tmp_path / "short.bin", **words, force=True)  # type: ignore[arg-type]
        assert short.digest == fourcc.convert(tiny, tmp_path / "long.bin", policy=policy, force=True).digest


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (
            {"format": "F16", "policy": Policy.keep()},
            "policy and format exclude each other. A rule of the policy can have a fallback.",
        ),
        (
            {"format": "F16", "recipe": "Q8_0"},
            "format and recipe exclude each other. `fourcc policy show --recipe NAME` prints a recipe",
        ),
        ({"policy": "gone.toml"}, "gone.toml: there is no such policy file"),
        ({"policy": 3}, "policy is a Policy, a path or a text: found 3"),
        ({"format": 3}, "format is a text: found 3, expected tags with commas between them"),
        ({"recipe": Path("x")}, "recipe is a text: found x, expected a recipe's name"),
        (
            {"policy": "Q4_K_M"},
            "Q4_K_M: there is no such policy file. format='Q4_K_M' names formats, recipe='Q4_K_M' a recipe.",
        ),
        ({"policy": "version = 1"}, "1 problem in the policy:\n  rule: no rule (a rule begins with [[rule]])"),
        ({"policy": "version\n"}, "1 problem in the policy:\n  line 1: "),
        ({"format": "Zzzz"}, "1 problem in the policy:\n  format Zzzz: no installed package provides the format Zzzz"),
        ({"recipe": "Q9"}, "there is no recipe 'Q9'"),
    ],
)
def test_what_convert_says_of_a_policy_that_is_none(tmp_path: Path, given: dict[str, str], message: str) -> None:
    """The error comes before the source is opened: there is none here."""
    with pytest.raises(UsageError) as caught:
        fourcc.convert(tmp_path / "no source", tmp_path / "out.bin", **given)  # type: ignore[arg-type]
    assert str(caught.value).startswith(message)


def test_the_notes_of_a_plan_are_made_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """They look at every tensor, so twice would cost time."""
    looks: list[Source] = []

    def warned(source: Source, taken: object = None) -> list[str]:
        looks.append(source)
        return [] if taken is None else ["odd"]

    monkeypatch.setattr("fourcc.conversion.plan.warnings", warned)
    planned = plan(source({"w": normal(4, 4)}), Policy.keep())
    assert planned.notes == planned.notes == ("odd",)
    assert execute(planned, tmp_path / "model.bin").notes == ("odd",)
    assert len(looks) == 2
