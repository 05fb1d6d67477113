"""`fourcc stats`: tables for any terminal, JSON, pictures, and a policy."""

import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

import fourcc
from fourcc.cli.render import stats_tables, terminal
from tests.cli.making import ODD, Runner, write_safetensors
from tests.sources.writers import gguf


def test_a_table_of_all_tensors(run: Runner, tiny: Path) -> None:
    """A line each, the histogram at its end, and what the columns are."""
    ended = run("stats", tiny)
    assert ended.code == 0
    lines = ended.out.splitlines()
    assert lines[0].split() == [
        "tensor",
        "shape",
        "tag",
        "std",
        "max",
        "|w|",
        "kurtosis",
        ">",
        "4",
        "std",
        "rows",
        "cols",
        "histogram",
    ]
    assert len(lines) == 1 + 38 + 1 + 4
    assert [line.partition(":")[0] for line in lines[-4:]] == ["kurtosis", "> 4 std", "rows, cols", "histogram"]
    wk = next(line for line in lines if line.startswith("layers.0.attention.wk"))
    assert wk.split()[1:-1] == ["48", "x", "96", "F32", "0.104", "0.652", "4.15", "0.15", "%", "2.44", "1.87"]
    assert len(wk.split()[-1]) == 18
    assert ended.err == ""


def test_numbers_are_those_of_the_weights(run: Runner, tiny: Path) -> None:
    """The JSON object has a schema."""
    document = run("stats", tiny, "--role", "attention.k", "--layers", "1", "--json").document
    assert (document["schema"], document["file"]) == ("fourcc.stats/1", str(tiny))
    (found,) = document["tensors"]
    with fourcc.open(tiny) as source:
        tensor = next(tensor for tensor in source.tensors if tensor.name == "layers.1.attention.wk")
        weights = tensor.read(0, 0, 48)["values"].astype(np.float64)
    assert (found["name"], found["roles"], found["layer"]) == ("layers.1.attention.wk", ["attention.k"], 1)
    measured = found["statistics"]
    assert measured["std"] == pytest.approx(weights.std())
    assert (measured["min"], measured["max"], measured["weights"]) == (weights.min(), weights.max(), weights.size)
    assert measured["rms_of_rows"]["max"] == pytest.approx(np.sqrt((weights**2).mean(axis=1)).max())
    assert sum(count for _, _, count in measured["histogram"]) == weights.size
    assert len(measured["histogram"]) == 64
    assert (found["before"], found["error"], document["suggestion"]) == (None, None, None)


def test_before_and_after(run: Runner, tiny: Path, model: Path) -> None:
    """The error that the file was written with, and both histograms."""
    ended = run("stats", model, "--against", tiny, "--include", "*.wq")
    assert ended.code == 0
    head, *rows = ended.out.splitlines()[:5]
    assert head.split() == ["tensor", "tags", "bits", "SQNR", "dB", "rel", "RMSE", "max", "error", "before", "after"]
    with fourcc.open(model) as opened:
        for row in rows:
            record = opened.record(row.split()[0])
            assert record.error is not None
            assert f"{record.error.sqnr_db:.1f}" in row
    assert "F32 -> Q8_0" in rows[0]


def test_a_format_is_tried_on_the_way(run: Runner, tiny: Path, model: Path) -> None:
    """With the result of a conversion, the same tensors only, and the user's file in what is said."""
    given = run("stats", tiny, "--format", "Q8_0,F16", "--include", "*.wq", "--json").document
    made = run("stats", model, "--against", tiny, "--include", "*.wq", "--json").document
    assert given["tensors"] == made["tensors"]
    assert given["file"] == str(tiny)


def test_one_tensor_in_depth(run: Runner, tiny: Path) -> None:
    """Facts are followed by bars side by side."""
    ended = run("stats", tiny, "--include", "layers.0.attention.wq", "--format", "Q4_0")
    facts, bars = ended.out.split("\n\n")
    assert "F32 -> Q4_0" in facts
    assert "SQNR                    21.66 dB" in facts
    assert bars.splitlines()[0].split() == ["before", "after"]
    assert len(bars.splitlines()) == 25
    assert bars.splitlines()[12].count("\u2588") == 48
    alone = run("stats", tiny, "--include", "norm").out
    assert "before" not in alone
    assert "RMS of rows" not in alone


@pytest.mark.parametrize(("encoding", "blocks"), [("utf-8", True), ("ascii", False), ("latin-1", False)])
def test_a_pipe_that_takes_no_blocks_gets_ascii(process: Runner, tiny: Path, encoding: str, blocks: bool) -> None:
    """In any encoding the picture is there, and no escapes."""
    env = {"PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    table = process("stats", tiny, "--layers", "0", env=env).out
    assert ("\u2588" in table, "[" in table, "\\u" in table) == (blocks, True, False)
    assert ("@" in table) != blocks
    one = process("stats", tiny, "--include", "norm", env=env).out
    assert ("\u2588" in one, "####" in one) == (blocks, not blocks)


@pytest.mark.parametrize("columns", [120, 80, 60, 48])
@pytest.mark.parametrize("more", [(), ("--format", "Q8_A")])
def test_a_narrow_terminal_gets_fewer_columns(
    run: Runner, tiny: Path, monkeypatch: pytest.MonkeyPatch, columns: int, more: tuple[str, ...]
) -> None:
    """The histogram and the name stay, no line is broken, and nothing is said of a column that is left out."""
    monkeypatch.setattr(terminal, "on_terminal", lambda stream: stream is sys.stdout)
    monkeypatch.setenv("COLUMNS", str(columns))
    monkeypatch.setenv("NO_COLOR", "1")
    shown, notes = run("stats", tiny, "--include", "*.w?", *more).out.split("\n\n")
    *table, hidden = shown.splitlines() if columns < 120 else [*shown.splitlines(), ""]
    assert max(map(len, [*table, *notes.splitlines()])) <= columns
    lines = 1 if table[1].startswith("layers.") else 2
    heads = " ".join(table[:lines])
    assert heads.startswith("tensor")
    assert heads.split()[-1] in {"histogram", "after"}
    assert ("shape" in heads) == (columns == 120 and not more)
    assert len(table[2 * lines - 1].split()[-1]) == stats_tables.WIDE + 2
    left_out = hidden.removeprefix("wider terminals also show: ").split(", ") if hidden else []
    assert not any(title in heads for title in left_out)
    assert not any(line.startswith(f"{title}:") for title in left_out for line in notes.splitlines())


def test_what_cannot_be_decoded_is_named(run: Runner, unknown: Path, tiny: Path) -> None:
    """All other tensors are shown."""
    ended = run("stats", unknown)
    assert ended.code == 0
    assert f"{ODD}: not decoded: no installed package provides the format Nope." in ended.out
    ended = run("stats", unknown, "--include", ODD)
    assert ended.out.startswith(f"{ODD}: not decoded: ")
    entry = run("stats", unknown, "--include", ODD, "--json").document["tensors"][0]
    assert (entry["statistics"], "Nope" in entry["undecoded"]) == (None, True)
    assert f"{ODD}: not decoded" in run("stats", unknown, "--against", tiny).out


def test_what_the_original_lacks_is_named(run: Runner, tiny: Path, tmp_path: Path) -> None:
    """A tensor is named if its name is missing or its shape differs."""
    run("convert", tiny, "-o", tmp_path / "part.bin", "--exclude", "layers.0.*", "-q")
    ended = run("stats", tiny, "--against", tmp_path / "part.bin", "--include", "*.wq")
    assert "layers.0.attention.wq: the original has no tensor of that name and shape" in ended.out
    other = write_safetensors(tmp_path / "x.safetensors", {"a": np.ones((2, 2), np.float32)})
    ended = run("stats", tiny, "--against", other)
    assert (ended.code, ended.out) == (2, "")
    assert f"{other}: none of the 38 tensors has the name and the shape of one of the original" in ended.err


def test_suggestions(run: Runner, tiny: Path) -> None:
    """Every format over all tensors, then what fits each, then what it comes to."""
    ended = run("stats", tiny, "--suggest", "--layers", "0", "--include", "*.w[qo]", "--include", "*norm")
    assert ended.code == 0
    formats, tensors, summary = ended.out.split("\n\n")
    assert formats.splitlines()[0].split() == [
        "tag",
        "bits/weight",
        "SQNR",
        "dB",
        "dB/bit",
        "to",
        "6.02",
        "dB/bit",
        "fits",
        "chosen",
    ]
    rows = {line.split()[0]: line.split()[1:] for line in formats.splitlines()[1:]}
    assert rows["Q4_0"][:1] + rows["Q4_0"][4:5] == ["4.5", "2"]
    assert len(tensors.splitlines()) == 1 + 2
    assert "32 bits per weight become " in summary
    assert "tried on 18432 of 18432 weights, with each format's default settings" in summary
    assert "2 vectors and integer tensors are kept as they are stored" in summary


def test_suggestions_for_one_tensor(run: Runner, tiny: Path) -> None:
    """Every format in a line, also those that do not fit, and why."""
    out = run("stats", tiny, "--suggest", "--include", "layers.0.feed_forward.w2").out
    assert "rows of 176 are not a multiple of 32" in out
    assert out.count("  chosen") == 2  # the head, and the one


@pytest.mark.thorough
def test_a_suggested_policy_converts(run: Runner, tiny: Path, tmp_path: Path) -> None:
    """To what was asked for: each matrix at 40 dB or better."""
    policy = tmp_path / "mixed.toml"
    ended = run("stats", tiny, "--min-sqnr", 40, "--write-policy", policy, "--json")
    assert ended.code == 0
    assert tomllib.loads(policy.read_text())["version"] == 1
    assert run("convert", tiny, "-o", tmp_path / "m.bin", "--policy", policy).code == 0
    with fourcc.open(tmp_path / "m.bin") as model:
        for entry in ended.document["suggestion"]["tensors"]:
            record = model.record(entry["name"])
            assert str(record.tag) == (entry["chosen"] or entry["stored_tag"])
            assert record.error is None or (record.error.sqnr_db or 99) >= 40
    again = run("stats", tiny, "--min-sqnr", 40, "--write-policy", policy)
    assert (again.code, "the output exists" in again.err) == (2, True)


def test_a_budget_of_bits(run: Runner, tiny: Path) -> None:
    """The best of what is small enough."""
    found = run("stats", tiny, "--layers", "0,2", "--include", "*.w[kv2]", "--max-bits", 5, "--json").document[
        "suggestion"
    ]["tensors"]
    for each in found:
        small = [one for one in each["offers"] if one["bits_per_weight"] <= 5 and one["sqnr_db"] is not None]
        best = max(small, key=lambda one: one["sqnr_db"], default={"tag": None})
        assert each["chosen"] == best["tag"]
    assert any(each["chosen"] for each in found)


@pytest.mark.parametrize(
    ("wish", "said"),
    [(("--max-bits", 0.1), "at most 0.1 bits per weight"), (("--min-sqnr", 500), "at least 500 dB")],
)
def test_a_wish_that_no_format_meets(
    run: Runner, tiny: Path, tmp_path: Path, wish: tuple[str, float], said: str
) -> None:
    """An error where it holds for every tensor, and no policy is written."""
    ended = run("stats", tiny, "--layers", 0, *wish, "--write-policy", tmp_path / "p.toml")
    assert ended.code == 2
    assert f"no format of {said} fits any of the 7 tensors" in ended.err
    assert not list(tmp_path.iterdir())


def test_a_wish_that_is_met_for_some_tensors(run: Runner, tmp_path: Path) -> None:
    """The others are named: rows of 4 weights cost more than 5 bits in every format that takes them."""
    arrays = {name: np.random.default_rng(0).normal(size=shape).astype("<f4") for name, shape in SHAPES.items()}
    source = write_safetensors(tmp_path / "x.safetensors", arrays)
    ended = run("stats", source, "--max-bits", 5)
    assert ended.code == 0
    note = "note: no format of at most 5 bits per weight fits 1 of 2 tensors, which stay as they are: narrow"
    assert note in ended.err


SHAPES = {"narrow": (8, 4), "wide": (8, 256)}


def test_weights_that_are_not_finite_are_counted(run: Runner, tmp_path: Path) -> None:
    """Below the table, where who looks for them among 300 tensors sees them; zeros have no sign."""
    weights = np.ones((4, 4), np.float32)
    bad, worse = weights.copy(), weights.copy()
    bad[0, 0], worse[0, :2] = np.inf, np.nan
    source = write_safetensors(
        tmp_path / "x.safetensors", {"bad": bad, "fine": weights, "worse": worse, "zero": -np.zeros((2, 2), np.float32)}
    )
    lines = run("stats", source).out.splitlines()
    assert "bad: 1 of 16 weights is not finite; the figures are those of the others" in lines
    assert "worse: 2 of 16 weights are not finite; the figures are those of the others" in lines
    assert not any(line.startswith("fine:") for line in lines)
    assert next(line for line in lines if line.startswith("zero")).split()[5:7] == ["0", "0"]


def test_pictures(run: Runner, tiny: Path, tmp_path: Path) -> None:
    """The file's suffix decides the kind; an existing file is not replaced."""
    weights, layers, formats = tmp_path / "w.png", tmp_path / "l.SVG", tmp_path / "f.pdf"
    common = ("stats", tiny, "--include", "*.w[qk]", "-q")
    assert run(*common, "--plot", weights, "--plot-layers", layers).code == 0
    assert weights.read_bytes().startswith(b"\x89PNG")
    assert "attention.wk" in layers.read_text()
    assert run(*common, "--suggest", "--plot", formats).code == 0
    assert formats.read_bytes().startswith(b"%PDF")
    again = run(*common, "--plot", weights)
    assert (again.code, "--force replaces it" in again.err) == (2, True)
    assert run(*common, "--plot", weights, "--force").code == 0
    ended = run(*common, "--plot", tmp_path / "w.gif")
    assert (ended.code, "no such kind of picture: found 'gif', expected png or svg or pdf" in ended.err) == (2, True)
    assert run(*common, "--plot", tiny.with_suffix(".png").parent / "no" / "w.png").code == 4


@pytest.mark.thorough
def test_matplotlib_is_loaded_for_pictures_only(tiny: Path) -> None:
    """No other option loads it."""
    code = "import sys; from fourcc.cli.app import main; code = main(sys.argv[1:]); print('matplotlib' in sys.modules)"
    for more in ((), ("--suggest",)):
        command = [sys.executable, "-c", code, "stats", str(tiny), *more]
        assert subprocess.check_output(command, text=True).endswith("False\n")


@pytest.mark.parametrize(
    "wrong",
    [("--against", "x", "--format", "F16"), ("--suggest", "--format", "F16"), ("--suggest", "--plot-layers", "x.png")],
)
def test_one_thing_at_a_time(run: Runner, tiny: Path, wrong: tuple[str, ...]) -> None:
    """Said as it is."""
    ended = run("stats", tiny, *wrong)
    assert (ended.code, "exclude each other" in ended.err) == (2, True)


@pytest.mark.parametrize(
    "wrong", [("--min-sqnr", "nan"), ("--max-bits", "0"), ("--max-bits", "-inf"), ("--sample", "-1")]
)
def test_numbers_that_make_no_sense(run: Runner, tiny: Path, wrong: tuple[str, str]) -> None:
    """They are refused before anything is read."""
    ended = run("stats", tiny, "--suggest", *wrong)
    assert (ended.code, f"bad value of {wrong[0]}: found " in ended.err) == (2, True)


def test_weights_that_are_odd(run: Runner, tmp_path: Path) -> None:
    """Nothing, NaN, equal ones, integers, a name that would act on a terminal: a table comes of all of them."""
    tensors = {
        "empty": np.zeros((0, 4), np.float32),
        "nan": np.full((2, 2), np.nan, np.float32),
        "same": np.ones((4, 4), np.float32),
        "whole": np.arange(8).reshape(2, 4),
        "a\x1b[2J": np.ones(3, np.float32),
    }
    source = write_safetensors(tmp_path / "x.safetensors", tensors)
    ended = run("stats", source)
    assert ended.code == 0, ended.err
    assert "\x1b" not in ended.out
    assert run("stats", source, "--json").code == 0
    for name in ("empty", "nan", "same", "whole"):
        assert run("stats", source, "--include", name).code == 0
    assert run("stats", source, "--suggest").code == 0


def test_layouts_that_no_format_has_are_left_out(run: Runner, tmp_path: Path) -> None:
    """With a note; asked for alone, there is nothing to look at."""
    path = tmp_path / "m.gguf"
    path.write_bytes(gguf([], [("a", (64,), 0, bytes(256)), ("b", (2, 64), 31, bytes(72))]))
    ended = run("stats", path, "--json")
    assert [each["name"] for each in ended.document["tensors"]] == ["a"]
    assert ended.err.count("note: ") == 1
    assert "note: 1 of 2 tensors can only be listed" in ended.err
    ended = run("stats", path, "--include", "b", "-q")
    assert (ended.code, "no tensor is left to look at" in ended.err) == (2, True)
