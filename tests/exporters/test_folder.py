"""Export to a folder: complete, read by the safetensors package, and whole or not at all."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
from safetensors import safe_open

import fourcc
from fourcc.errors import OutputError, UsageError
from fourcc.execution import Execution
from fourcc.exporters import kind_of
from fourcc.exporters.export import check_targets, execute_export, plan_export
from fourcc.exporters.folder_options import folder_options
from fourcc.files.write import SUFFIX
from fourcc.sources import open_source
from tests.sources.writers import Arrays, config, decoded, llama, llama2c_v0, safetensors, to_hf, written

SIZES = {"dim": 64, "hidden": 96, "heads": 4, "kv_heads": 2, "vocab": 48, "seq": 64}
CARD = b"---\nlicense: apache-2.0\nlanguage:\n- en\n- 'no'\ntags: [chat]\n---\n# The model\n"


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A folder of Hugging Face's, with a card, a tokenizer and a generation config."""
    folder = tmp_path / "model"
    folder.mkdir()
    h, tensors = llama(**SIZES, shared=False)
    stated = config(h, head_dim=16, bos_token_id=1, eos_token_id=2, _name_or_path="lab/Tiny-65K-Chat-v2")
    written(folder, "config.json", stated)
    written(folder, "model.safetensors", safetensors(to_hf(h, tensors)))
    written(folder, "README.md", CARD)
    written(folder, "tokenizer.json", {"model": {}, "version": "1.0"})
    written(folder, "generation_config.json", {"eos_token_id": [2, 3]})
    return folder


def read(folder: Path) -> Arrays:
    """All tensors of a folder's files, by the safetensors package."""
    found: Arrays = {}
    for path in folder.glob("*.safetensors"):
        with safe_open(path, framework="numpy") as file:
            names = list(file.keys())
            assert not found.keys() & set(names)
            found |= {name: file.get_tensor(name) for name in names}
    return found


def test_everything_that_describes_the_model(model: Path, tmp_path: Path) -> None:
    """Tensors, config, tokenizer and generation config come back; a card is made."""
    fourcc.export(model, tmp_path / "out")
    names = ["README.md", "config.json", "generation_config.json", "model.safetensors", "tokenizer.json"]
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == names
    for name in ("generation_config.json", "tokenizer.json"):
        assert (tmp_path / "out" / name).read_bytes() == (model / name).read_bytes()
    before, after = read(model), read(tmp_path / "out")
    assert before.keys() == after.keys()
    assert all(np.array_equal(before[name], after[name]) for name in before)
    with open_source(model) as one, open_source(tmp_path / "out") as other:
        assert one.hyper == other.hyper
        assert other.notes == ()


def test_shards(model: Path, tmp_path: Path) -> None:
    """No file has more bytes of tensors than asked for, but for a tensor larger than that; the index names all."""
    fourcc.export(model, tmp_path / "out", shard_size="40kB")
    index = json.loads((tmp_path / "out" / "model.safetensors.index.json").read_text())
    files = sorted(path.name for path in (tmp_path / "out").glob("*.safetensors"))
    count = len(files)
    assert count > 2
    assert files == [f"model-{number:05}-of-{count:05}.safetensors" for number in range(1, count + 1)]
    assert set(index["weight_map"].values()) == set(files)
    before = read(model)
    assert index["metadata"]["total_size"] == sum(array.nbytes for array in before.values())
    for name in files:
        with safe_open(tmp_path / "out" / name, framework="numpy") as file:
            held = {key: file.get_tensor(key) for key in file.keys()}  # noqa: SIM118 - no mapping
        assert sum(array.nbytes for array in held.values()) <= 40_000 or len(held) == 1
        assert all(index["weight_map"][key] == name for key in held)
    with open_source(model) as one, open_source(tmp_path / "out") as other:
        theirs = decoded(other)
        assert all(np.array_equal(array, theirs[name]) for name, array in decoded(one).items())


def test_a_generation_config_is_made_of_the_config(tmp_path: Path) -> None:
    """A model that came without one gets the tokens that begin and end a text."""
    h, tensors = llama(**SIZES)
    (tmp_path / "a").mkdir()
    written(tmp_path / "a", "config.json", config(h, head_dim=16, bos_token_id=1, eos_token_id=2))
    written(tmp_path / "a", "model.safetensors", safetensors(to_hf(h, tensors)))
    fourcc.export(tmp_path / "a", tmp_path / "b")
    assert json.loads((tmp_path / "b" / "generation_config.json").read_text()) == {"bos_token_id": 1, "eos_token_id": 2}


def test_the_card(model: Path, tmp_path: Path) -> None:
    """Its front matter holds what the model's own said; its table what was written, with measured errors."""
    fourcc.quantize(model, tmp_path / "out", format="Q8_0")
    card = (tmp_path / "out" / "README.md").read_text()
    front = card.split("---\n")[1].splitlines()
    assert front[:4] == ["license: apache-2.0", "language:", "- en", '- "no"']
    assert front[5:8] == ["base_model:", "- lab/Tiny-65K-Chat-v2", "base_model_relation: quantized"]
    assert front[8:] == ["tags:", "- chat", "- quantized", "- compressed-tensors", "- fourcc"]
    rows = [line.split(" | ") for line in card.splitlines() if line.startswith("| Q8_0")]
    weights = 2 * (2 * 64 * 64 + 2 * 32 * 64 + 3 * 64 * 96) + 48 * 64
    held = 8 + 16 / 32  # bits: a code, and a float16 scale for 32
    shapes = 15 * 16 * 8  # bits of `weight_shape`
    assert rows[0][1:4] == ["15", str(weights), f"{held + shapes / weights:.4g}"]
    assert float(rows[0][4]) > 40
    assert 'tag = "Q8_0"' in card
    assert "stays" not in card


def test_a_new_folder_appears_whole_or_not_at_all(model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An interruption leaves no folder of that name; without a tensor that is done it leaves nothing."""

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    with open_source(model) as opened:
        planned = plan_export(opened, kind_of(tmp_path / "out", "huggingface"))
        targets = check_targets(planned, tmp_path / "out", force=False)
        with pytest.raises(KeyboardInterrupt):
            execute_export(planned, targets, Execution(progress=interrupt))
        monkeypatch.setattr(Path, "rename", interrupt)
        with pytest.raises(KeyboardInterrupt):
            execute_export(planned, targets)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model", "out.journal", "out.part"]


def into(folder: Path, model: Path, *, force: bool) -> None:
    """Exports into an existing folder."""
    fourcc.export(model, folder, to="huggingface", force=force)


def test_an_existing_folder(model: Path, tmp_path: Path) -> None:
    """An empty one is filled; one with files only by force, which leaves files of other names as they are."""
    folder = tmp_path / "out"
    folder.mkdir()
    into(folder, model, force=False)
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"the folder exists and is not empty: found README.md, config.json, .* more"):
        into(folder, model, force=False)
    (folder / "config.json").write_text("old")
    into(folder, model, force=True)
    assert json.loads((folder / "config.json").read_text())["model_type"] == "llama"
    assert (folder / "notes.txt").read_text() == "mine"
    assert not [path for path in folder.iterdir() if path.name.endswith(SUFFIX)]


@pytest.mark.parametrize("name", ["model-00001-of-00002.safetensors", "model.safetensors.index.json", "old.gguf"])
def test_weights_of_another_model_would_stay(model: Path, tmp_path: Path, name: str) -> None:
    """A reader of the folder would take them for this model's."""
    folder = tmp_path / "out"
    folder.mkdir()
    (folder / name).write_bytes(b"old")
    with pytest.raises(UsageError, match=f"the folder holds weights that would stay, .*: found {name}"):
        into(folder, model, force=True)
    assert [path.name for path in folder.iterdir()] == [name]


def test_outputs_that_cannot_be(model: Path, tmp_path: Path) -> None:
    """The source's own folder, a file, and a folder in none."""
    cases: list[tuple[Path, type[Exception], str]] = [
        (model, UsageError, "input and output are the same folder"),
        (tmp_path / "none" / "out", OutputError, "the folder does not exist. Create it first."),
        (written(tmp_path, "file", b"x"), OutputError, "the output exists and is no folder"),
    ]
    for output, error, message in cases:
        with pytest.raises(error, match=message):
            into(output, model, force=True)


@pytest.mark.parametrize(
    ("text", "message"),
    [("much", "no size of a file is spelled so: found 'much'"), ("0", "bad value of --shard-size: found 0")],
)
def test_sizes_of_shards(text: str, message: str) -> None:
    """Bytes with a unit, at least one."""
    with pytest.raises(UsageError, match=message):
        folder_options(text, None, None)


def test_a_model_bin_between(model: Path, tmp_path: Path) -> None:
    """Facts about the model survive it, and errors that were measured when it was made reach the card."""
    fourcc.convert(model, tmp_path / "m.bin", format="Q8_0")
    fourcc.export(tmp_path / "m.bin", tmp_path / "a", to="compressed-tensors", instead="F16")
    fourcc.quantize(model, tmp_path / "b", format="Q8_0", instead="F16")
    one, other = ((tmp_path / name / "README.md").read_text() for name in "ab")
    assert one.split("\n## ")[0] == other.split("\n## ")[0]
    assert read(tmp_path / "a").keys() == read(tmp_path / "b").keys()


@pytest.mark.skipif(os.name == "nt", reason="no umask there")
def test_the_umask_counts(model: Path, tmp_path: Path) -> None:
    """Folder and files have the modes that it gives."""
    fourcc.export(model, tmp_path / "out")
    mask = os.umask(0)
    os.umask(mask)
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o777 & ~mask
    assert (tmp_path / "out" / "config.json").stat().st_mode & 0o777 == 0o666 & ~mask


def test_a_llama2c_model_has_no_facts(tmp_path: Path) -> None:
    """Its card is named after the folder, and claims neither license nor origin."""
    h, tensors = llama(**SIZES)
    path = written(tmp_path, "v0.bin", llama2c_v0(h, tensors))
    fourcc.export(path, tmp_path / "Small")
    card = (tmp_path / "Small" / "README.md").read_text()
    assert card.startswith("---\nlibrary_name: transformers\ntags:\n- fourcc\n---\n\n# Small\n")
