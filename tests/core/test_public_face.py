"""The public face, `import fourcc`: opening anything, the registry, the formats, one function a task."""

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import fourcc
from fourcc.errors import MissingTensorError, SourceError, UsageError
from tests.core.fakes import installed
from tests.core.test_registry import FAKE
from tests.sources.writers import gguf, gguf_llama, llama, safetensors, written


def python(code: str) -> str:
    """The output of a new process."""
    return subprocess.check_output([sys.executable, "-c", code], text=True)


@pytest.fixture
def folder(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a model and its tokenizer."""
    for name, source in (("stories.bin", "tiny.bin"), ("tokenizer.bin", "tiny_tokenizer.bin")):
        shutil.copy(root / "fourcc" / "example" / source, tmp_path / name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_example_of_the_docstring(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each line runs, and each comment is true."""
    names: dict[str, object] = {}
    exec("\n".join(example()[0]), names)  # noqa: S102 - the docstring's own text
    said = capsys.readouterr().out
    assert said.startswith("Once upon a time")
    assert "<Evaluation of " in said
    assert "<Survey of 38 tensors" in said
    assert isinstance(names["wq"], fourcc.QMatrix)
    weights = names["weights"]
    assert isinstance(weights, np.ndarray)
    assert (weights.dtype, weights.shape) == (np.float32, (96, 96))
    assert (folder / "model.gguf").read_bytes()[:4] == b"GGUF"


@pytest.mark.thorough
def test_the_example_of_a_mix(folder: Path, root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """In one call, and step by step."""
    stories = (root / "fourcc" / "example" / "training.txt").read_text()
    (folder / "text.txt").write_text(stories)
    (folder / "other.txt").write_text(stories[-4000:])
    exec("\n".join(["import fourcc", *example()[1]]), {})  # noqa: S102 - the docstring's own text
    assert "<ShootoutResult of " in capsys.readouterr().out
    for name in ("best.bin", "small.bin"):
        with fourcc.open(folder / name) as model:
            assert isinstance(model, fourcc.Model)
            assert 4.9 < float(model.index.bits_per_weight) <= 5


def example() -> tuple[list[str], list[str]]:
    """The lines of the docstring's example: of the usual functions, and of a mix for a size."""
    lines = [line.removeprefix("    ") for line in (fourcc.__doc__ or "").splitlines() if line.startswith("    ")]
    place = next(number for number, line in enumerate(lines) if "original.bin" in line)
    return lines[:place], lines[place:]


def test_open_gives_a_model_or_a_source(folder: Path) -> None:
    """Both map names to QMatrix, and have the same attributes where these mean the same."""
    fourcc.convert("stories.bin", "model.bin", tokenizer="tokenizer.bin")
    with fourcc.open("stories.bin") as source, fourcc.open("model.bin") as model:
        assert (type(source), type(model)) == (fourcc.Source, fourcc.Model)
        assert (source.path, model.path) == (Path("stories.bin"), Path("model.bin"))
        assert (source.kind, model.kind) == ("llama2.c v0", "model.bin")
        assert source.architecture == model.architecture == "llama"
        assert source.hyper == model.hyper
        assert list(source) == list(model)
        assert len(source) == len(model) == 38
        for name in source:
            assert np.array_equal(source[name].decode(), model[name].decode())
    assert folder.is_dir()


def test_a_tokenizer_goes_with_either(folder: Path) -> None:
    """A tokenizer that is named takes the place of a missing one."""
    fourcc.convert("stories.bin", "model.bin")
    for name in ("stories.bin", "model.bin"):
        with fourcc.open(name, tokenizer="tokenizer.bin") as opened:
            data = opened.blobs if isinstance(opened, fourcc.Source) else opened._blobs
            assert data["tokenizer.bin"] == (folder / "tokenizer.bin").read_bytes()
        with pytest.raises(SourceError, match="not a tokenizer"):
            fourcc.open(name, tokenizer="stories.bin")


def test_a_name_that_no_tensor_has(folder: Path) -> None:
    """One error for every kind of file: a KeyError, so `get` and `in` work, with the nearest names."""
    fourcc.convert("stories.bin", "model.bin")
    for name in ("stories.bin", "model.bin"):
        with fourcc.open(name) as opened:
            with pytest.raises(MissingTensorError) as caught:
                opened["layers.0.attention.w1"]
            assert isinstance(caught.value, KeyError)
            assert str(caught.value).startswith(
                f"{name}: no tensor is named 'layers.0.attention.w1'. Did you mean 'layers.0.attention.w"
            )
            with pytest.raises(MissingTensorError, match=r"'\?'\. `fourcc inspect` lists the names"):
                opened["?"]
            assert opened.get("?") is None
            assert "?" not in opened
            assert opened.get(3) is None  # type: ignore[call-overload] - as of a dict
    assert folder.is_dir()


def test_a_model_is_loaded_without_looking_for_near_names(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Most networks lack biases; the nearest names of each would take longer than to load the model."""

    def never(*_: object) -> MissingTensorError:
        pytest.fail("the nearest names were looked for")

    fourcc.convert("stories.bin", "model.bin", tokenizer="tokenizer.bin")
    monkeypatch.setattr("fourcc.container.reader.missing_tensor", never)
    with fourcc.open(folder / "model.bin") as model:
        assert model.generate("Once", steps=4)


def test_what_is_closed_says_so(folder: Path) -> None:
    """One error for every kind of file, where nothing was read yet, too."""
    fourcc.convert("stories.bin", "model.bin")
    fourcc.export("stories.bin", "m.gguf")
    (folder / "hf").mkdir()
    fourcc.export("stories.bin", "hf/model.safetensors")
    for name in ("stories.bin", "model.bin", "m.gguf", "hf"):
        with fourcc.open(name) as opened:
            pass
        with pytest.raises(UsageError, match=r": the file is closed\. Open it again\.$"):
            opened["layers.0.attention.wq"]
        assert len(opened) == 38


def test_a_tensor_that_cannot_be_read(tmp_path: Path) -> None:
    """It is listed among the names; asking for it raises what reading it always raised."""
    path = written(tmp_path, "m.gguf", gguf([], [("a", (32,), 0, bytes(128)), ("b", (256,), 15, bytes(292))]))
    with fourcc.open(path) as source:
        assert list(source) == ["a", "b"]
        assert source["a"].decode().shape == (32,)
        assert "b" in source
        with pytest.raises(SourceError, match="1 of 2 tensors are in layouts that no installed format has"):
            source["b"]


@pytest.mark.parametrize("shape", [(), (3,), (2, 3), (4, 2, 3), (2, 4, 2, 3), (0, 3), (2, 0), (0, 2, 3)])
def test_a_source_s_tensor_is_whole(tmp_path: Path, shape: tuple[int, ...]) -> None:
    """Leading dimensions are read matrix by matrix, and stacked."""
    weights = np.arange(np.prod(shape, dtype=int), dtype=np.float32).reshape(shape)
    with fourcc.open(written(tmp_path, "m.safetensors", safetensors({"w": weights}))) as source:
        tensor = source["w"]
        assert tensor.shape == shape
        assert np.array_equal(tensor.decode(), weights)
        assert isinstance(source, fourcc.Source)
        assert np.array_equal(source.tensor("w").decode(), weights)


def test_opened_files_are_not_compared_by_their_weights(tmp_path: Path) -> None:
    """Two are equal where they are one; it can be a key."""
    path = written(tmp_path, "m.gguf", gguf_llama(*llama()))
    fourcc.convert(path, tmp_path / "model.bin")
    for name in (path, tmp_path / "model.bin"):
        with fourcc.open(name) as one, fourcc.open(name) as other:
            assert one == one  # noqa: PLR0124 - what is tested
            assert one != other
            assert len({one, other}) == 2


def test_formats_by_their_tags() -> None:
    """`fourcc.formats` is the package of built-in formats, and has each installed format as an attribute."""
    assert fourcc.formats.Q4_0 is fourcc.registry["Q4_0"]
    assert {str(tag) for tag in fourcc.registry} <= set(dir(fourcc.formats))
    with pytest.raises(AttributeError, match="no format of the tag 'Q9_9' is installed"):
        _ = fourcc.formats.Q9_9
    with installed(FAKE):
        assert fourcc.formats.Fake is FAKE
        assert "Fake" in dir(fourcc.formats)
    assert not hasattr(fourcc.formats, "Fake")


def test_a_plugin_s_tag_hides_no_file_of_the_package() -> None:
    """`from fourcc.formats import bf16` asks for an attribute first."""
    code = (
        "import attrs\nfrom fourcc.plugins.registry import registry\nfrom fourcc.format import Format\nimport fourcc\n"
        "ours = fourcc.registry['BF16']\n"
        "theirs = attrs.evolve(ours, tag='bf16')\n"
        "with registry.trying(theirs):\n"
        "    from fourcc.formats import f16, bool\n"
        "    import fourcc.formats\n"
        "    print(f16.__name__, bool.__name__, registry['bf16'] is theirs)\n"
    )
    assert python(code) == "fourcc.formats.f16 fourcc.formats.bool True\n"


def test_formats_are_imported_when_they_are_asked_for() -> None:
    """Listing the tags imports none."""
    code = (
        "import sys, fourcc\nlisted = 'Q4_0' in dir(fourcc.formats)\n"
        "print(listed, [n for n in sys.modules if n.startswith('fourcc.formats.') or n == 'numpy'])"
    )
    assert python(code) == "True []\n"


def test_the_registry_is_a_value() -> None:
    """No import puts a module in its place."""
    code = (
        "import fourcc.sources, fourcc.formats, fourcc\n"
        "print(type(fourcc.registry).__name__, 'Q4_0' in fourcc.registry)"
    )
    assert python(code) == "Registry True\n"


def test_suggest(folder: Path) -> None:
    """A format for each matrix; the wish decides."""
    matrices = [each for each in fourcc.suggest("stories.bin", max_bits=5, role=["attention.q"]) if each.offers]
    assert [each.name for each in matrices] == [f"layers.{n}.attention.wq" for n in range(len(matrices))]
    assert all(each.chosen is not None and each.bits <= 5 for each in matrices)
    assert folder.is_dir()


def test_diff_and_export(folder: Path) -> None:
    """Both take paths; the output's suffix, or `to`, decides its kind."""
    fourcc.export("stories.bin", "a.safetensors", policy=fourcc.Policy.shorthand("BF16"))
    assert not fourcc.diff("stories.bin", "a.safetensors").identical
    assert fourcc.diff("stories.bin", "stories.bin").identical
    with pytest.raises(fourcc.FourccError, match="exists"):
        fourcc.export("stories.bin", "a.safetensors")
    fourcc.export("stories.bin", "a.safetensors", to="gguf", tokenizer="tokenizer.bin", force=True)
    assert (folder / "a.safetensors").read_bytes()[:4] == b"GGUF"
