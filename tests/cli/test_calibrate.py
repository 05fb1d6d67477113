"""`fourcc calibrate`, `fourcc inspect` of what it wrote, and `fourcc convert --calibration`."""

import hashlib
import shutil
import struct
from pathlib import Path

import pytest

import fourcc
from fourcc.calibration.reading import open_calibration
from tests.calibration.writing import QUERY, dat, entry
from tests.cli.making import Runner


@pytest.fixture(scope="module")
def text(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some of the shipped model's text."""
    path = tmp_path_factory.mktemp("text") / "calib.txt"
    path.write_text(tiny.with_name("heldout.txt").read_text()[:2500])
    return path


@pytest.fixture(scope="module")
def made(tiny: Path, text: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A calibration of the shipped model."""
    path = tmp_path_factory.mktemp("made") / "model.calib"
    fourcc.calibrate(tiny, text, path, tokenizer=tiny.with_name("tiny_tokenizer.bin"), documents=True)
    return path


def asked(tiny: Path, text: Path, output: Path, model: Path | None = None) -> list[object]:
    """The words of a command: the shipped model, or one with its tokenizer."""
    return ["calibrate", model or tiny, "--text", text, "-z", tiny.with_name("tiny_tokenizer.bin"), "-o", output]


def test_the_summary(run: Runner, tiny: Path, text: Path, made: Path, tmp_path: Path) -> None:
    """For people and as an object; the file is that of the function in Python."""
    output = tmp_path / "model.calib"
    ended = run(*asked(tiny, text, output), "--documents")
    assert ended.code == 0, ended.err
    assert output.read_bytes() == made.read_bytes()
    found = open_calibration(output)
    lines = dict(line.split(None, 1) for line in ended.out.splitlines())
    assert lines["id"] == found.digest
    assert lines["tokens"] == str(found.tokens)
    assert lines["text"].startswith("8 documents parted by empty lines, each after BOS; all ")
    document = run(*asked(tiny, text, output), "--documents", "--force", "--hessian", "--json").document
    assert document["schema"] == "fourcc.calibrate/1"
    assert (document["matrices"], document["hessians"], document["resumed_after"]) == (29, 29, 0)
    assert document["file_bytes"] == output.stat().st_size > 2 * made.stat().st_size


def test_windows_and_limits(run: Runner, tiny: Path, text: Path, tmp_path: Path) -> None:
    """Windows of the context, or as many tokens as are asked for."""
    output = tmp_path / "model.calib"
    document = run(*asked(tiny, text, output), "--context", 64, "--tokens", 100, "--json").document
    assert document["text"].startswith(
        "2 disjoint windows of at most 64 tokens, each after BOS; stopped after 100 scored"
    )
    assert document["tokens"] == 102
    assert open_calibration(output).context == 64


def test_inspecting_it(run: Runner, made: Path, text: Path) -> None:
    """Each matrix, in a table and in an object."""
    found, lines = open_calibration(made), run("inspect", made).out.splitlines()
    assert f"text     calib.txt ({hashlib.sha256(text.read_bytes()).hexdigest()})" in lines
    assert f"model    {found.model}" in lines
    row = next(line for line in lines if line.startswith("layers.2.feed_forward.w2")).split()
    statistics = found.statistics["layers.2.feed_forward.w2"]
    assert statistics.minimum is not None
    assert row[1:3] == ["176", str(found.tokens)]
    assert row[4:7] == [f"{statistics.minimum.min():.4g}", "to", f"{statistics.maximum.max():.4g}"]  # type: ignore[union-attr]
    assert row[7:] == ["0", "%", "no"]
    document = run("inspect", made, "--json").document
    assert document["schema"] == "fourcc.calibration/1"
    matrix = next(each for each in document["matrices"] if each["name"] == "layers.2.feed_forward.w2")
    importance = sorted(statistics.importance[0].tolist())
    assert matrix["largest_by_median"] == pytest.approx(importance[-1] / (importance[87] + importance[88]) * 2)
    assert (matrix["dead"], matrix["columns"], matrix["tokens"]) == (0, 176, found.tokens)


def test_inspecting_a_matrix_of_it(run: Runner, made: Path) -> None:
    """Its listing has all that there is."""
    ended = run("inspect", made, "--tensor", "layers.0.attention.wq")
    assert ended.code == 2
    assert ended.err.startswith(f"fourcc: error: {made}: a calibration has no tensors to show. Without --tensor, ")


def test_inspecting_an_older_file(run: Runner, tmp_path: Path) -> None:
    """Its name tells what it is; tokens are not known."""
    path = tmp_path / "imatrix.dat"
    path.write_bytes(dat(entry(QUERY, 4, [2, 4, 1, 0])))
    lines = run("inspect", path).out.splitlines()
    assert lines[0].endswith("imatrix.dat: calibration (imatrix .dat)")
    assert lines[-1].split() == ["layers.0.attention.wq", "4", "unknown", "2.667", "-", "25", "%", "no"]


def test_a_text_that_is_too_short(run: Runner, tiny: Path, tmp_path: Path) -> None:
    """Is refused, unless it is cut into documents."""
    short = tmp_path / "short.txt"
    short.write_text("Once upon a time, there was a girl.")
    ended = run(*asked(tiny, short, tmp_path / "model.calib"))
    assert ended.code == 2
    assert "the text is shorter than a window: found 18 tokens, expected at least 256. Give a longer text" in ended.err
    assert run(*asked(tiny, short, tmp_path / "model.calib"), "--documents").code == 0
    assert run(*asked(tiny, short, tmp_path / "model.calib"), "--context", 18, "--force").code == 0
    (tmp_path / "empty.txt").write_text("")
    ended = run(*asked(tiny, tmp_path / "empty.txt", tmp_path / "other.calib"), "--documents")
    assert (ended.code, "the text has no token to score" in ended.err) == (2, True)


def test_a_model_that_overflows(run: Runner, tiny: Path, text: Path, tmp_path: Path) -> None:
    """The error names file, matrix and window; nothing is left behind."""
    data = bytearray(tiny.read_bytes())
    norms = 28 + 4 * 384 * 96  # behind the header and the embedding: the weights of the first norm
    data[norms : norms + 4 * 96] = struct.pack("<f", 3e38) * 96
    loud = tmp_path / "loud.bin"
    loud.write_bytes(data)
    ended = run(*asked(tiny, text, tmp_path / "model.calib", loud), "--documents")
    assert ended.code == 3
    says = "loud.bin, tensor 'layers.0.attention.wq': the inputs of this matrix are not finite: found "
    assert says in ended.err
    assert "inf in window 1, expected numbers. The model overflows, or its weights are damaged." in ended.err
    ended = run("measure", *asked(tiny, text, tmp_path / "model.costs", loud)[1:], "--options", "Q8_A")
    assert (ended.code, "loud.bin: the original's logits in window 1 are not finite" in ended.err) == (3, True)
    assert list(tmp_path.iterdir()) == [loud]


def test_merging(run: Runner, tiny: Path, text: Path, made: Path, tmp_path: Path) -> None:
    """Twice the same text gives twice the sums; another model's is refused with both digests."""
    output = tmp_path / "both.calib"
    assert run(*asked(tiny, text, output), "--documents", "--merge", made).code == 0
    one, both = open_calibration(made), open_calibration(output)
    assert both.tokens == 2 * (one.tokens or 0)
    for name, statistics in one.statistics.items():
        assert (both.statistics[name].squares == 2 * statistics.squares).all()
    other = tmp_path / "other.bin"
    fourcc.convert(tiny, other, format="F16", tokenizer=tiny.with_name("tiny_tokenizer.bin"))
    ended = run(*asked(tiny, text, tmp_path / "bad.calib", other), "--documents", "--merge", made)
    assert ended.code == 2
    assert f"only a calibration of the same model can be merged: found {one.model}, expected " in ended.err
    older = tmp_path / "imatrix.dat"
    older.write_bytes(dat(entry(QUERY, 4, [2, 4, 1, 0])))
    ended = run(*asked(tiny, text, tmp_path / "bad.calib"), "--documents", "--merge", older)
    assert "can be merged: found imatrix .dat, expected " in ended.err
    assert not (tmp_path / "bad.calib").exists()


def test_resuming_without_a_start(run: Runner, tiny: Path, text: Path, made: Path, tmp_path: Path) -> None:
    """Runs everything, and says so."""
    output = tmp_path / "model.calib"
    ended = run(*asked(tiny, text, output), "--documents", "--resume")
    assert "fourcc: note: there was nothing to resume, so all layers were run\n" in ended.err
    assert output.read_bytes() == made.read_bytes()


def test_files_that_are_read_are_not_replaced(run: Runner, tiny: Path, text: Path, made: Path, tmp_path: Path) -> None:
    """Nor is another output without --force."""
    kept = tmp_path / "kept.txt"
    shutil.copy(text, kept)
    ended = run(*asked(tiny, kept, kept), "--force")
    assert (ended.code, "input and output are the same file" in ended.err) == (2, True)
    ended = run(*asked(tiny, kept, made))
    assert (ended.code, "the output exists" in ended.err) == (2, True)
    spelling = tmp_path / "tokenizer.bin"
    shutil.copy(tiny.with_name("tiny_tokenizer.bin"), spelling)
    ended = run("calibrate", tiny, "--text", text, "-z", spelling, "-o", spelling, "--force")
    assert (ended.code, "input and output are the same file" in ended.err) == (2, True)
    ended = run("convert", tiny, "-o", made, "--format", "Q4_1,F16", "--calibration", made, "--force")
    assert (ended.code, "input and output are the same file" in ended.err) == (2, True)


def test_converting_with_it(run: Runner, tiny: Path, made: Path, tmp_path: Path) -> None:
    """It gives the bytes that Python gives; notes come before the summary."""
    by_hand, output = tmp_path / "by_hand.bin", tmp_path / "model.bin"
    fourcc.convert(tiny, by_hand, format="Q4_1,F16", calibration=open_calibration(made))
    ended = run("convert", tiny, "-o", output, "--format", "Q4_1,F16", "--calibration", made)
    assert (ended.code, ended.err.count("note")) == (0, 0)
    assert output.read_bytes() == by_hand.read_bytes()
    ended = run("convert", tiny, "--dry-run", "--format", "Q8_A", "--calibration", made)
    assert "fourcc: note: model.calib is not used: no tensor is encoded in a format that uses importance" in ended.err


def test_converting_another_model(run: Runner, model: Path, made: Path, tmp_path: Path) -> None:
    """Is refused before anything is written, with both digests."""
    ended = run("convert", model, "-o", tmp_path / "model.bin", "--format", "Q4_1,F16", "--calibration", made)
    assert ended.code == 2
    assert f"another model than {model}: found {open_calibration(made).model}, expected " in ended.err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("more", [("calibrate", "--documents"), ("measure", "--options", "Q8_A", "--tokens", 20)])
def test_unfinished_work_replaces_no_input(
    run: Runner, tiny: Path, text: Path, tmp_path: Path, more: tuple[object, ...]
) -> None:
    """It lies beside the output, where the text is already; nor is a link followed."""
    name, *options = more
    kept, link = tmp_path / "a.part", tmp_path / "b.part"
    shutil.copy(text, kept)
    link.symlink_to(kept)
    given = [name, tiny, "-z", tiny.with_name("tiny_tokenizer.bin"), "--text", kept, *options]
    ended = run(*given, "-o", tmp_path / "a")
    assert (ended.code, "a.part: this input is where unfinished work would be kept" in ended.err) == (2, True)
    given[given.index(kept)] = text
    ended = run(*given, "-o", tmp_path / "b")
    assert (ended.code, "b.part: cannot create the output" in ended.err) == (4, True)
    assert kept.read_bytes() == text.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.part", "b.part"]


def test_the_summary_of_a_conversion_says_what_was_used(run: Runner, tiny: Path, text: Path, tmp_path: Path) -> None:
    """In as many tensors as the file's index has it of; nothing is said where nothing was used."""
    known, output = tmp_path / "model.calib", tmp_path / "model.bin"
    assert run(*asked(tiny, text, known), "--tokens", 60, "--hessian", "-q").code == 0
    convert = ("convert", tiny, "-o", output, "--force", "--format", "Q4_1,F16")
    ended = run(*convert, "--calibration", known, "--feedback", "gptq")
    with fourcc.open(output) as model:
        weighed = sum(record.aids is not None for record in model.index.tensors)
        fed = sum(record.feedback is not None for record in model.index.tensors)
    assert weighed > fed > 0  # the embedding is weighed only
    assert f"calibration      used in {weighed} tensors\nerror feedback   in {fed} tensors\n" in ended.out
    assert not {"calibration", "error feedback"} & {line.split("  ")[0] for line in run(*convert).out.splitlines()}
