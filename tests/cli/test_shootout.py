"""`fourcc shootout`: a table, one JSON object, a picture."""

from pathlib import Path

from tests.cli.making import Runner

FEW = ("--layers", "0", "--role", "attention.*", "--no-speed")


def test_a_line_for_each_format_and_what_was_done(run: Runner, tiny: Path) -> None:
    """Formats that fit nothing stand below, with reasons."""
    ended = run("shootout", tiny, *FEW)
    assert (ended.code, ended.err) == (0, "")
    table, notes = ended.out.split("\n\n")
    rows = {line.split()[0]: line.split()[1:] for line in table.splitlines()}
    assert rows["tag"][:3] == ["bits/weight", "SQNR", "dB"]
    assert rows["Q4_0"][0] == "4.5"
    assert rows["Q4_0"][3:7] == ["-"] * 4
    assert rows["F32"] == ["32", "inf", "0", "-", "-", "-", "-", "*", "4"]
    assert "tried on 27648 of 27648 weights of 4 matrices, default settings" in notes
    assert "no output error: without calibration, no importance of the columns is known" in notes
    assert "Q2_K: rows of 96 are not a multiple of 256" in notes
    assert "+ none" not in notes


def test_json_has_a_schema(run: Runner, tiny: Path) -> None:
    """Numbers are those of the table; nothing infinite."""
    document = run("shootout", tiny, *FEW, "--options", "Q4_0,F32,Q2_K", "--json").document
    assert (document["schema"], document["file"]) == ("fourcc.shootout/1", str(tiny))
    assert (document["tensors"], document["weights"], document["matrix"]) == (4, 27648, None)
    q4, f32, q2 = document["formats"]
    assert (q4["tag"], q4["bits_per_weight"], q4["compared"], q4["on_front"]) == ("Q4_0", 4.5, True, True)
    assert 20 < q4["sqnr_db"] < 23
    assert (f32["sqnr_db"], f32["relative_rmse"], f32["speed"]) == (None, 0, None)
    assert (q2["sqnr_db"], q2["bits_per_weight"], q2["compared"]) == (None, None, False)
    assert q2["reason"] == "rows of 96 are not a multiple of 256"


def test_speeds_are_measured(run: Runner, tiny: Path) -> None:
    """With the matrix that they belong to."""
    ended = run("shootout", tiny, "--layers", "0", "--options", "Q8_0", "--include", "*.w[123]", "--threads", "1")
    assert "speed: layers.0.feed_forward.w1, 176 x 96, 1 thread; us and GB/s with one activation, 3 copies" in ended.out
    assert "* no other format that fits 2 matrices has fewer bits and less error" in ended.out
    assert "+ none has fewer bits, less error and a faster product with one activation" in ended.out


def test_a_picture_is_written_and_not_over_another(run: Runner, tiny: Path, tmp_path: Path) -> None:
    """Its path is checked before any work."""
    path = tmp_path / "formats.svg"
    assert run("shootout", tiny, *FEW, "--options", "Q4_0,Q8_0", "--picture", path).code == 0
    assert b">Q4_0</text>" in path.read_bytes()
    ended = run("shootout", tiny, *FEW, "--picture", path)
    assert (ended.code, ended.out) == (2, "")
    assert "--force" in ended.err
    assert "no such kind of picture: found 'gif'" in run("shootout", tiny, "--picture", "x.gif").err


def test_wrong_options_are_refused(run: Runner, tiny: Path) -> None:
    """Each message names what is wrong."""
    assert "bad value of --sample: found -1" in run("shootout", tiny, "--sample", "-1").err
    assert "Q4_0 has no such setting: found size" in run("shootout", tiny, "--options", "Q4_0:size=3").err
    assert "no installed package provides the format Nope" in run("shootout", tiny, "--options", "Nope").err
