"""`fourcc convert`."""

import os
from pathlib import Path

import numpy as np
import pytest

import fourcc
from fourcc.errors import PolicyError, UsageError
from fourcc.exporters import KINDS
from fourcc.plugins.registry import registry
from fourcc.policy import Policy
from tests.cli.making import Runner, write_safetensors
from tests.sources.writers import config, llama, to_hf, written

NORMS_AND_REST = """version = 1
[[rule]]
match = "*norm*"
tag = "F32"
[[rule]]
match = "*"
tag = "Q8_0"
fallback = ["F16"]
"""


def test_writes_a_model_and_sums_it_up(run: Runner, tiny: Path, tmp_path: Path) -> None:
    """The summary tells what the file itself says."""
    output = tmp_path / "model.bin"
    ended = run("convert", tiny, "-o", output, "--format", "Q8_0,F16")
    assert ended.code == 0
    with fourcc.open(output) as model:
        said = dict(line.split("  ", 1) for line in ended.out.splitlines())
        said = {name: value.strip() for name, value in said.items()}
        assert said["output"] == str(output)
        assert said["id"] == model.digest.hex()
        assert said["tensors"] == "38 (25 Q8_0, 9 F32, 4 F16)"
        assert said["weights"] == "351072"
        assert said["bytes"].startswith(f"{output.stat().st_size} bytes")
    assert "MB/s of source" in ended.err or "GB/s of source" in ended.err


def test_a_policy_file_decides(run: Runner, tiny: Path, tmp_path: Path) -> None:
    """`--policy` gives every tensor its format."""
    policy = tmp_path / "mixed.toml"
    policy.write_text(NORMS_AND_REST)
    ended = run("convert", tiny, "-o", tmp_path / "model.bin", "--policy", policy, "--json")
    assert ended.document["formats"] == {"Q8_0": 25, "F32": 9, "F16": 4}


def test_without_a_policy_all_is_kept(run: Runner, tiny: Path, tmp_path: Path) -> None:
    """Floats stay in their own dtype."""
    ended = run("convert", tiny, "-o", tmp_path / "model.bin", "--json")
    assert ended.document["formats"] == {"F32": 38}
    assert ended.document["bits_per_weight"] == 32


def test_json(run: Runner, tiny: Path, tmp_path: Path) -> None:
    """The object has the schema's keys."""
    output = tmp_path / "model.bin"
    ended = run("convert", tiny, "-o", output, "--format", "F16", "--json")
    assert (ended.code, ended.err) == (0, "")
    assert ended.document["schema"] == "fourcc.convert/1"
    assert set(ended.document) == {
        "schema",
        "output",
        "shards",
        "id",
        "tensors",
        "weights",
        "bits_per_weight",
        "bytes",
        "file_bytes",
        "formats",
        "matrices_with_ranges",
        "notes",
    }
    assert ended.document["file_bytes"] == output.stat().st_size


def test_quiet(run: Runner, tiny: Path, tmp_path: Path) -> None:
    """-q says nothing where nothing is wrong."""
    ended = run("convert", tiny, "-o", tmp_path / "model.bin", "-q")
    assert (ended.code, ended.out, ended.err) == (0, "", "")


def test_dry_run_writes_nothing(run: Runner, tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It needs no output, and shows rule, tag, bits per weight and bytes of each tensor."""
    monkeypatch.chdir(tmp_path)
    ended = run("convert", tiny, "--format", "Q8_0,F16", "--dry-run")
    assert ended.code == 0
    assert list(tmp_path.iterdir()) == []
    lines = ended.out.splitlines()
    assert lines[0].split() == ["tensor", "shape", "stored", "rule", "tag", "settings", "bits/weight", "bytes"]
    assert lines[1].split() == ["tok_embeddings", "384", "x", "96", "F32", "rule[2]", "Q8_0", "8.5", "39168"]
    assert lines[2].split() == ["layers.0.attention_norm", "96", "F32", "rule[1]", "F32", "kept", "32", "384"]
    w2 = next(line for line in lines if line.startswith("layers.0.feed_forward.w2")).split()
    assert w2[4:] == ["F32", "rule[2]", "F16", "for", "Q8_0", "16", "33792"]
    assert lines[39].startswith("total: 38 tensors, 351072 weights, 10 bits per weight, 438912 bytes")


def test_dry_run_foretells_the_conversion(run: Runner, tiny: Path, tmp_path: Path) -> None:
    """Bytes and tags of the plan are those of the file."""
    output = tmp_path / "model.bin"
    planned = run("convert", tiny, "-o", output, "--format", "Q4_A", "--dry-run", "--json").document
    assert not output.exists()
    assert planned["schema"] == "fourcc.plan/1"
    run("convert", tiny, "-o", output, "--format", "Q4_A")
    with fourcc.open(output) as model:
        stored = [(t.name, str(t.tag), t.nbytes, t.options) for t in model.index.tensors]
    assert [(t["name"], t["tag"], t["bytes"], t["options"]) for t in planned["tensors"]] == stored
    assert planned["total"]["bytes"] == sum(nbytes for _, _, nbytes, _ in stored)


def test_include_and_exclude(run: Runner, tiny: Path, tmp_path: Path) -> None:
    """Globs choose among the tensors; `*` crosses dots."""
    output = tmp_path / "model.bin"
    run("convert", tiny, "-o", output, "--include", "layers.*", "--include", "norm", "--exclude", "*.w?")
    with fourcc.open(output) as model:
        assert {name.rpartition(".")[2] for name in model} == {"attention_norm", "ffn_norm", "norm"} | {
            "wq",
            "wk",
            "wv",
            "wo",
        } - {"wq", "wk", "wv", "wo"}


def test_the_tokenizer_is_stored(run: Runner, model: Path, tmp_path: Path, tiny: Path) -> None:
    """`extract --blob` gives back what `--tokenizer` stored."""
    with fourcc.open(model) as opened:
        names = [blob.name for blob in opened.index.blobs if blob.name != "policy.toml"]
    assert len(names) == 1
    output = tmp_path / "tokenizer"
    assert run("extract", model, "--blob", names[0], "-o", output).code == 0
    assert output.read_bytes() == tiny.with_name("tiny_tokenizer.bin").read_bytes()


def test_threads_do_not_change_the_bytes(run: Runner, tiny: Path, tmp_path: Path) -> None:
    """Every value of `--threads` gives the same file."""
    for count in (1, 3):
        run("convert", tiny, "-o", tmp_path / f"{count}.bin", "--format", "Q8_0,F16", "--threads", count)
    assert (tmp_path / "1.bin").read_bytes() == (tmp_path / "3.bin").read_bytes()


def test_needs_an_output(run: Runner, tiny: Path) -> None:
    """Without -o and --dry-run, nothing is done."""
    ended = run("convert", tiny)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == "fourcc: error: convert needs an output. Add -o FILE, or --dry-run.\n"


def test_policy_and_format_exclude_each_other(run: Runner, tiny: Path, tmp_path: Path) -> None:
    """One of them decides."""
    ended = run("convert", tiny, "-o", tmp_path / "x", "--policy", "a.toml", "--format", "F16")
    assert ended.code == 2
    assert "--policy and --format exclude each other" in ended.err


def test_an_output_is_not_overwritten(run: Runner, tiny: Path, tmp_path: Path) -> None:
    """Exit code 2; the file is as it was; --force replaces it."""
    output = tmp_path / "model.bin"
    output.write_bytes(b"precious")
    ended = run("convert", tiny, "-o", output)
    assert ended.code == 2
    assert ended.err == f"fourcc: error: {output}: the output exists. --force replaces it.\n"
    assert output.read_bytes() == b"precious"
    assert run("convert", tiny, "-o", output, "--force").code == 0
    assert output.read_bytes() != b"precious"


def test_input_and_output_are_never_the_same_file(run: Runner, tiny: Path, tmp_path: Path) -> None:
    """Neither the name, nor a link, nor --force allows it."""
    source, link = tmp_path / "in.bin", tmp_path / "link.bin"
    source.write_bytes(tiny.read_bytes())
    link.symlink_to(source)
    hard = tmp_path / "hard.bin"
    os.link(source, hard)
    for output in (source, link, hard):
        ended = run("convert", source, "-o", output, "--force")
        assert ended.code == 2
        assert "input and output are the same file" in ended.err
    assert source.read_bytes() == tiny.read_bytes()


def test_an_output_that_is_a_link_stays_one(run: Runner, tiny: Path, tmp_path: Path) -> None:
    """The file it points to is replaced."""
    target, link = tmp_path / "target.bin", tmp_path / "link.bin"
    link.symlink_to(target)
    assert run("convert", tiny, "-o", link).code == 0
    assert link.is_symlink()
    assert run("verify", target).code == 0


def test_a_missing_policy_file_ends_as_any_missing_file(run: Runner, tiny: Path, tmp_path: Path) -> None:
    """Exit code 4, as of a missing checkpoint or `fourcc policy gone.toml`."""
    gone = tmp_path / "gone.toml"
    ended = run("convert", tiny, "-o", tmp_path / "x", "--policy", gone)
    assert (ended.code, ended.err) == (4, f"fourcc: error: {gone}: No such file or directory\n")


def test_every_problem_of_a_policy_is_shown(run: Runner, tiny: Path, tmp_path: Path) -> None:
    """Each problem has a line with its place; the exit code is 2."""
    policy = tmp_path / "mixed.toml"
    policy.write_text('version = 1\n[[rule]]\nmatch = "nothing*"\ntag = "Q8_0"\n[[rule]]\nmatch = "*"\ntag = "Zz"\n')
    ended = run("convert", tiny, "-o", tmp_path / "x", "--policy", policy)
    assert ended.code == 2
    first, *problems = ended.err.splitlines()
    assert first.startswith(f"fourcc: error: {policy}: ")
    assert first.endswith(f"{len(problems)} problems in the policy:")
    assert any("rule[0]" in line and "matches no tensor" in line for line in problems)
    assert any("rule[1].tag" in line and "no installed package provides the format Zz" in line for line in problems)
    assert not (tmp_path / "x").exists()


def test_policy_errors_as_json(run: Runner, tiny: Path, tmp_path: Path) -> None:
    """The problems are a list."""
    policy = tmp_path / "mixed.toml"
    policy.write_text('version = 1\n[[rule]]\nmatch = "*"\ntag = "Zz"\n')
    error = run("convert", tiny, "-o", tmp_path / "x", "--policy", policy, "--json").document["error"]
    assert (error["kind"], error["exit_code"], error["file"]) == ("PolicyError", 2, str(policy))
    assert [(each["path"], each["line"]) for each in error["problems"]] == [("rule[0].tag", 4)]


def test_nan_is_refused_by_name(run: Runner, tmp_path: Path) -> None:
    """Exit code 3; no output appears."""
    weights = np.ones((4, 32), np.float32)
    weights[1, 2] = np.nan
    source = write_safetensors(tmp_path / "in.safetensors", {"w": weights})
    ended = run("convert", source, "-o", tmp_path / "out.bin", "--format", "Q8_0", "--json")
    assert ended.code == 3
    error = ended.document["error"]
    assert (error["kind"], error["tensor"]) == ("NumericError", "w")
    assert "the first at flat index 34" in error["message"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.safetensors"]


def test_a_source_of_no_known_kind(run: Runner, tmp_path: Path) -> None:
    """The exit code is 3."""
    source = tmp_path / "x.pdf"
    source.write_bytes(b"%PDF-1.7" + bytes(100))
    ended = run("convert", source, "-o", tmp_path / "out.bin")
    assert ended.code == 3
    assert "a PDF document" in ended.err


def test_a_missing_folder(run: Runner, tiny: Path, tmp_path: Path) -> None:
    """Exit code 4, before anything is done."""
    ended = run("convert", tiny, "-o", tmp_path / "no" / "model.bin")
    assert ended.code == 4
    assert ended.err == f"fourcc: error: {tmp_path}/no: the folder does not exist. Create it first.\n"


@pytest.mark.parametrize("count", ["0", "1025"])
def test_bad_number_of_threads(run: Runner, tiny: Path, tmp_path: Path, count: str) -> None:
    """The number must be from 1 to 1024."""
    ended = run("convert", tiny, "-o", tmp_path / "out.bin", "--threads", count)
    assert ended.code == 2
    assert f"bad number of threads: found {count}, expected 1 to 1024" in ended.err


@pytest.mark.parametrize("suffix", sorted(kind.suffix for kind in KINDS.values() if kind.suffix))
def test_an_output_named_as_another_kind(run: Runner, tiny: Path, tmp_path: Path, suffix: str) -> None:
    """Refused for the suffix of every kind that `export` writes, also from Python; nothing is written."""
    output = tmp_path / f"x{suffix.upper()}"
    ended = run("convert", tiny, "-o", output)
    assert ended.code == 2
    assert f"convert writes a model.bin, and the output's name ends with {suffix}" in ended.err
    assert f"`fourcc export SRC -o {output.name}` writes such a file." in ended.err
    with pytest.raises(UsageError, match="convert writes a model"):
        fourcc.convert(tiny, output)
    assert not list(tmp_path.iterdir())


def test_nothing_left_to_convert(run: Runner, tiny: Path, tmp_path: Path) -> None:
    """An error, where globs leave no tensor of those that there are."""
    ended = run("convert", tiny, "-o", tmp_path / "x", "--exclude", "*")
    assert (ended.code, "--include and --exclude leave none of the 38 tensors" in ended.err) == (2, True)
    assert not list(tmp_path.iterdir())


def test_a_checkpoint_without_tensors(run: Runner, tmp_path: Path) -> None:
    """It is converted, with a note."""
    source = write_safetensors(tmp_path / "in.safetensors", {})
    ended = run("convert", source, "-o", tmp_path / "out.bin")
    assert ended.code == 0
    assert "note: the checkpoint holds no tensor" in ended.err
    assert "tensors          0\n" in ended.out
    assert "formats by    -\n" in run("inspect", tmp_path / "out.bin").out


def test_vectors_alone_match_no_format(run: Runner, tmp_path: Path) -> None:
    """Errors of --format speak of --format."""
    source = write_safetensors(tmp_path / "in.safetensors", {"v": np.ones(4, np.float32)})
    ended = run("convert", source, "-o", tmp_path / "out.bin", "--format", "F16")
    assert ended.code == 2
    assert (
        "--format F16: matches no tensor (tensors of fewer than two dimensions become 32-bit floats; "
        "a policy can say otherwise)" in ended.err
    )


@pytest.mark.parametrize("text", ["", "Q8_0,"])
def test_an_empty_tag(run: Runner, tiny: Path, tmp_path: Path, text: str) -> None:
    """Shown as it was typed."""
    ended = run("convert", tiny, "-o", tmp_path / "x", "--format", text)
    assert (ended.code, "'' is not a tag" in ended.err) == (2, True)


WIPES_OUT = ("F16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q2_K", "Q3_K", "Q4_K", "Q5_K", "Q6_K", "IQ4N", "IQ4X")


@pytest.mark.parametrize("tag", [str(tag) for tag in registry if registry[tag].encode is not None])
def test_a_tensor_that_a_format_wipes_out_is_noted(run: Runner, tmp_path: Path, tag: str) -> None:
    """For every format: weights of 1e-9 are noted by name exactly where they decode to nothing."""
    weights = np.full((4, 256), 1e-9, np.float32)
    source = write_safetensors(tmp_path / "in.safetensors", {"gone": weights, "fine": np.ones((4, 256), np.float32)})
    result = fourcc.convert(source, tmp_path / "out.bin", policy=Policy.shorthand(tag))
    with fourcc.open(tmp_path / "out.bin") as model:
        left = float(np.abs(model["gone"].decode() / weights - 1).max())
    note = "hardly anything is left of 1 tensor (SQNR below 1 dB): gone; try another format"
    assert (note in result.notes) == (left > 0.5)
    if tag in WIPES_OUT:
        assert note in result.notes
        again = run("convert", source, "-o", tmp_path / "again.bin", "--format", tag, "--json")
        assert (again.code, again.document["notes"], f"note: {note}" in again.err) == (0, [note], True)


def test_policies_from_python(tiny: Path, tmp_path: Path) -> None:
    """A file's path as text or Path, a text, a policy: the same bytes; what is none of them is an error of ours."""
    policy, text = tmp_path / "mixed.toml", 'version = 1\n[[rule]]\nmatch = "*"\ntag = "F16"\n'
    policy.write_text(text)
    given = [policy, str(policy), text, Policy.parse(text)]
    assert len({fourcc.convert(tiny, tmp_path / str(n), policy=each).digest for n, each in enumerate(given)}) == 1
    with pytest.raises(
        UsageError, match=r"no such policy file\. format='Q8_0' names formats, recipe='Q8_0' a recipe\."
    ):
        fourcc.convert(tiny, tmp_path / "x", policy="Q8_0")
    with pytest.raises(UsageError, match=r"gone\.toml: there is no such policy file$"):
        fourcc.convert(tiny, tmp_path / "x", policy=tmp_path / "gone.toml")
    with pytest.raises(PolicyError, match="not a regular file"):
        fourcc.convert(tiny, tmp_path / "x", policy=tmp_path)


def test_a_note_on_what_keeps_a_model_from_being_run_is_of_the_tensors_that_are_taken(
    run: Runner, tmp_path: Path
) -> None:
    """Nothing is said if the odd tensor is left out: then nothing keeps the output from being run."""
    h, tensors = llama()
    files = to_hf(h, tensors) | {"model.layers.0.mlp.extra.weight": np.ones((2, 2), np.float32)}
    source = write_safetensors(tmp_path / "model.safetensors", files)
    written(tmp_path, "config.json", config(h))
    note = "note: this model cannot be run: 1 tensor is not known here"
    whole = run("convert", source, "-o", tmp_path / "whole.bin")
    assert (whole.code, note in whole.err) == (0, True)
    left = run("convert", source, "-o", tmp_path / "left.bin", "--exclude", "*extra*")
    assert (left.code, note in left.err) == (0, False)
    with fourcc.open(tmp_path / "left.bin") as model:
        model.network()


def test_an_output_that_is_a_folder(run: Runner, tiny: Path, tmp_path: Path) -> None:
    """The file lies in it; a slash at the end says that there has to be one."""
    folder = tmp_path / "models"
    ended = run("convert", tiny, "-o", f"{folder}/", "--format", "Q8_0,F16")
    assert (ended.code, ended.err) == (4, f"fourcc: error: {folder}/: the folder does not exist. Create it first.\n")
    folder.mkdir()
    assert run("convert", tiny, "-o", folder, "--format", "Q8_0,F16").code == 0
    assert [path.name for path in folder.iterdir()] == ["model.bin"]
    assert run("split", folder / "model.bin", "-o", tmp_path, "--shard-size", "200kB").code == 0
    assert run("join", tmp_path / "model.index.json", "-o", f"{folder}/", "--force").code == 0


def test_a_dry_run_ends_as_the_work_would(run: Runner, tiny: Path) -> None:
    """A cap on memory that cannot be kept is the end of both."""
    ended = run("convert", tiny, "--format", "F16", "--dry-run", "--memory", "20MB")
    assert (ended.code, "refused: the cap on memory is below" in ended.out) == (2, True)
