"""Safe texts, tables, numbers and progress, as every command shows them."""

import io
import sys
import unicodedata

import pytest

from fourcc.analysis.statistics import Bin
from fourcc.cli.render import tables, terminal, units
from fourcc.cli.render.cell_styles import by_bits, by_decibels
from fourcc.cli.render.progress import Progress
from fourcc.cli.render.progress_line import ASCII_MARKS, ProgressFacts
from fourcc.cli.render.show_tensor import bars
from fourcc.cli.render.tables import Column
from fourcc.progress import DONE_BEFORE

TABLE = (Column("name"), Column("size", right=True), Column("rule", leave=1))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("layers.0.wq", "layers.0.wq"),
        ("naïve 重み", "naïve 重み"),
        ("\x1b]0;owned\x07", "\\x1b]0;owned\\x07"),
        ("a\nb\tc\r", "a\\nb\\tc\\r"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("\u2066\u200b\u2028", "\\u2066\\u200b\\u2028"),
        ("\x9b31m", "\\x9b31m"),
        ("\udcff", "\\udcff"),
        ("\U000e0001", "\\U000e0001"),
    ],
)
def test_texts_are_made_safe(text: str, shown: str) -> None:
    """Nothing that a terminal acts on, or that hides, is left."""
    assert terminal.safe(text) == shown


def test_columns_are_aligned() -> None:
    """Text to the left, numbers to the right, two spaces between; no blanks at the end."""
    assert list(tables.lines(TABLE, [["a", "1", ""], ["long name", "12345", "x"]])) == [
        "name        size  rule",
        "a              1",
        "long name  12345  x",
    ]


def test_cells_are_made_safe() -> None:
    """A row stays one line."""
    assert list(tables.lines(TABLE, [["a\nb", "1", "x"]])) == ["name  size  rule", "a\\nb     1  x"]


MATRIX = "layers.10.attention.wq"


@pytest.mark.parametrize(
    ("width", "shown"),
    [
        (35, ["name                     size  rule", f"{MATRIX}  12345  x"]),
        (34, ["name                     size", f"{MATRIX}  12345"]),
        (29, ["name                     size", f"{MATRIX}  12345"]),
        (28, ["name", "   size  rule", MATRIX, "  12345  x"]),
        (10, ["name", "   size", MATRIX, "  12345"]),
        (3, ["name", "   size", MATRIX, "  12345"]),
    ],
)
def test_a_narrow_terminal_cuts_no_cell(width: int, shown: list[str]) -> None:
    """A column that matters little leaves first; then a row takes two lines, and it comes back where it fits."""
    assert list(tables.lines(TABLE, [[MATRIX, "12345", "x"]], width)) == shown


def test_sentences_are_wrapped() -> None:
    """A column of sentences takes what the others leave."""
    columns = (Column("tag"), Column("summary", wraps=10))
    rows = [["Q4_0", "blocks of 32 weights with a scale"], ["F16", "floats"]]
    assert list(tables.lines(columns, rows, 24)) == [
        "tag   summary",
        "Q4_0  blocks of 32",
        "      weights with a",
        "      scale",
        "F16   floats",
    ]


def test_further_lines_without_a_cell_are_left_out() -> None:
    """An empty summary takes no line."""
    columns = (Column("kind"), Column("summary", wraps=10))
    rows = [["a.very.long.kind", ""], ["b", "a word"]]
    assert list(tables.lines(columns, rows, 16)) == ["kind", "  summary", "a.very.long.kind", "b", "  a word"]


def test_an_empty_table_is_its_head() -> None:
    """A table without rows prints its head alone."""
    assert list(tables.lines(TABLE, [])) == ["name  size  rule"]


def test_what_is_left_out_is_named(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal, whose width COLUMNS may say; a pipe gets every column. Notes are those of the columns shown."""
    noted = (*TABLE[:2], TABLE[2]._replace(note="which chose it"))
    monkeypatch.setenv("COLUMNS", "30")
    tables.explain(tables.show(noted, [[MATRIX, "1", "x"]]))
    out = capsys.readouterr().out
    assert out == f"name                    size  rule\n{MATRIX}     1  x\nrule: which chose it\n"
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    monkeypatch.setenv("NO_COLOR", "1")
    tables.explain(tables.show(noted, [[MATRIX, "1", "x"]]))
    out = capsys.readouterr().out
    assert out == f"name                    size\n{MATRIX}     1\nwider terminals also show:\n  rule\n"


@pytest.mark.parametrize(
    ("environment", "terminal_there", "shown"),
    [
        ({}, True, True),
        ({}, False, False),
        ({"TERM": "dumb"}, True, False),
        ({"NO_COLOR": "1"}, True, False),
        ({"NO_COLOR": ""}, True, True),
        ({"FORCE_COLOR": "1"}, False, True),
        ({"FORCE_COLOR": "0"}, False, False),
        ({"CLICOLOR_FORCE": "1"}, False, True),
        ({"CLICOLOR_FORCE": "1", "TERM": "dumb"}, True, True),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, True, False),
    ],
)
def test_colours(
    monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], terminal_there: bool, shown: bool
) -> None:
    """On a terminal that is not dumb; NO_COLOR says no, FORCE_COLOR and CLICOLOR_FORCE say yes."""
    for name in ("NO_COLOR", "FORCE_COLOR", "CLICOLOR_FORCE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    stream = Terminal() if terminal_there else io.StringIO()
    text = terminal.styled("wq", "bold", "red", stream=stream)
    assert text == ("\x1b[1;31mwq\x1b[0m" if shown else "wq")
    assert terminal.plain(text) == "wq"


def test_styles_change_no_width(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the escapes a coloured table is the plain one; a cell's own escape stays harmless."""
    columns = (Column("name"), Column("bits", right=True, style=by_bits), Column("dB", right=True, style=by_decibels))
    rows = [["a\x1b[31m", "4.5", "7.5"], ["b", "16", "inf"]]
    plain = list(tables.lines(columns, rows))
    monkeypatch.setenv("FORCE_COLOR", "1")
    coloured = list(tables.lines(columns, rows))
    assert list(map(terminal.plain, coloured)) == plain
    assert coloured[1] == "a\\x1b[31m   \x1b[33m4.5\x1b[0m  \x1b[31m7.5\x1b[0m"


@pytest.mark.parametrize(
    ("count", "text"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1.0 kB"),
        (9950, "10 kB"),
        (999_499, "999 kB"),
        (999_500, "1.0 MB"),
        (28e9, "28 GB"),
        (2e12, "2.0 TB"),
        (5e15, "5000 TB"),
    ],
)
def test_lengths(count: float, text: str) -> None:
    """Lengths have decimal units, and two to four digits."""
    assert units.short_bytes(count) == text


def test_durations() -> None:
    """Hours only where there are some."""
    assert [units.clock(seconds) for seconds in (0, 59.9, 60, 3600)] == ["0:00", "0:59", "1:00", "1:00:00"]


def test_bars_of_weights() -> None:
    """The longest has forty marks, and any weight shows."""
    assert bars([Bin(-1.0, 0.0, 400), Bin(0.0, 1.0, 1), Bin(1.0, 2.0, 0)], of_codes=False) == [
        f"-1 to 0  400  {'#' * 40}",
        " 0 to 1    1  #",
        " 1 to 2    0",
    ]


def test_bars_of_many_codes_are_grouped() -> None:
    """At most 32 lines, each with as many codes; few codes have a line each, gaps included."""
    many = bars([Bin(code, code, 1) for code in range(-128, 128)], of_codes=True)
    assert len(many) == 32
    assert many[0] == f"-128 to -121  8  {'#' * 40}"
    assert bars([Bin(1, 1, 2), Bin(3, 3, 1)], of_codes=True) == [f"1  2  {'#' * 40}", "2  0", f"3  1  {'#' * 20}"]


class Clock:
    """Time that passes when it is told to."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        """Seconds."""
        return self.now


class Terminal(io.StringIO):
    """A stderr that says it is a terminal."""

    def isatty(self) -> bool:
        """Yes."""
        return True


def test_progress_in_a_pipe_is_a_line_every_few_seconds(capsys: pytest.CaptureFixture[str]) -> None:
    """None for short work; with rate and time left."""
    clock = Clock()
    with Progress("converting", 100_000_000, quiet=False, clock=clock) as progress:
        for now, done in ((1, 10), (4.9, 40), (5, 50), (6, 60), (10, 75)):
            clock.now = now
            progress("a\x1bb", done, 100)
    assert capsys.readouterr().err == (
        "converting  50 %, 10 MB/s, 0:05 left: a\\x1bb\nconverting  75 %, 7.5 MB/s, 0:03 left: a\\x1bb\n"
    )


def test_what_comes_before_the_first_step_is_not_repeated(capsys: pytest.CaptureFixture[str]) -> None:
    """Kernels are compiled once: the time left goes by the pace afterwards, and is unknown before."""
    clock = Clock()
    with Progress("measuring", 0, quiet=False, clock=clock, unit="stages") as progress:
        for now, done in ((30, 1), (40, 3)):
            clock.now = now
            progress("", done, 11)
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(", ")[-1] for line in lines] == ["? left", "0:40 left"]


def test_what_was_done_before_does_not_count(capsys: pytest.CaptureFixture[str]) -> None:
    """A resumed run: the share is of all, rate and time left are of what this run does."""
    clock = Clock()
    with Progress("converting", 100_000_000, quiet=False, clock=clock) as progress:
        for now, done, name in ((1, 40, DONE_BEFORE), (1, 50, DONE_BEFORE), (2, 52, "a"), (10, 60, "a")):
            clock.now = now
            progress(name, done, 100)
    assert capsys.readouterr().err == "converting  60 %, 1.0 MB/s, 0:40 left: a\n"
    assert progress.rate == "5.0 MB/s"


def screen_of(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """A terminal of 40 columns that stderr leads to from now on."""
    stream = Terminal()
    monkeypatch.setattr(sys, "stderr", stream)
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setenv("TERM", "xterm-256color")
    monkeypatch.delenv("XTERM_VERSION", raising=False)
    return stream


NAME = "a.very.long.name.of.a.tensor.that.does.not.fit"


def test_progress_on_a_terminal_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Rewritten in place, fitted to the terminal with room for ^C, and gone at the end."""
    screen, clock = screen_of(monkeypatch), Clock()
    with Progress("verifying", 1000, quiet=False, clock=clock) as progress:
        for now, done in ((0.05, 1), (1, 5), (1.05, 6), (2, 10)):
            clock.now = now
            progress(NAME, done, 10)
    first, second, gone = screen.getvalue().split("\r\x1b[K")[1:]
    assert first.startswith("verifying  50 %")
    assert second.startswith("verifying 100 %")
    assert all(len(line) <= 37 for line in (first, second))
    assert gone == ""
    assert "\n" not in screen.getvalue()


def test_a_line_comes_before_the_one_of_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever writes, to stderr or to stdout: the line of progress is erased first, and drawn again below."""
    screen, clock = screen_of(monkeypatch), Clock()
    monkeypatch.setattr(sys, "stdout", screen)
    with Progress("verifying", 1000, quiet=False, clock=clock) as progress:
        for now, say in ((1, terminal.err), (2, terminal.out), (3, lambda _: None)):
            clock.now = now
            progress("x", 5, 10)
            say("hello")
    assert [each[:9] for each in screen.getvalue().split("\r\x1b[K")] == [
        "",
        "verifying",
        "hello\n",
        "verifying",
        "hello\n",
        "verifying",
        "",
    ]


@pytest.mark.parametrize(("term", "rows"), [("xterm-256color", 1), ("linux", 0)])
def test_a_terminal_that_became_narrower(monkeypatch: pytest.MonkeyPatch, term: str, rows: int) -> None:
    """It has wrapped the line: all its rows are erased; a console that cuts lines has one row."""
    screen, clock = screen_of(monkeypatch), Clock()
    monkeypatch.setenv("TERM", term)
    with Progress("verifying", 1000, quiet=False, clock=clock) as progress:
        clock.now = 1
        progress("x", 5, 10)
        monkeypatch.setenv("COLUMNS", "20")
    last = f"\r\x1b[{rows}A\x1b[J" if rows else "\r\x1b[K"
    assert screen.getvalue().endswith(last)


def test_progress_stays_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked to be quiet."""
    screen, clock = screen_of(monkeypatch), Clock()
    with Progress("verifying", 1000, quiet=True, clock=clock) as progress:
        clock.now = 30
        progress("x", 1, 10)
    assert screen.getvalue() == ""


def test_a_dumb_terminal_gets_lines_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first after a second, since somebody waits; then one every five."""
    screen, clock = screen_of(monkeypatch), Clock()
    monkeypatch.setenv("TERM", "dumb")
    with Progress("verifying", 1000, quiet=False, clock=clock) as progress:
        for now in (0.5, 1.5, 3, 5, 6.6, 8):
            clock.now = now
            progress("x", int(now), 10)
    assert screen.getvalue() == "verifying  10 %, 67 B/s, 0:09 left: x\nverifying  60 %, 91 B/s, 0:04 left: x\n"


@pytest.mark.parametrize(
    ("columns", "line"),
    [
        (100, "converting  43 %  ━━━━━━━━━━━━╸─────────────────  5.3 MB/s, 0:04 left  layers.10.attention.wq"),
        (77, "converting  43 %  ━━━━━━────────  5.3 MB/s, 0:04 left  layers.10.attention.wq"),
        (70, "converting  43 %  ━━━─────  5.3 MB/s, 0:04 left  layers.10...ention.wq"),
        (60, "converting  43 %  ━━━━━━━━━────────────  5.3 MB/s, 0:04 left"),
        (50, "converting  43 %  ━━━━╸──────  5.3 MB/s, 0:04 left"),
        (40, "converting  43 %  5.3 MB/s, 0:04 left"),
        (20, "converting  43 %"),
        (8, "converti"),
    ],
)
def test_a_bar_fits_its_terminal(columns: int, line: str) -> None:
    """A narrow one has no name, then no bar, then no pace; no width is passed."""
    facts = ProgressFacts("converting", 0.43, "5.3 MB/s, 0:04 left", "layers.10.attention.wq")
    assert facts.fitted(columns) == line
    assert all(len(facts.fitted(each)) <= each for each in range(1, 200))


def test_a_bar_of_plain_marks() -> None:
    """For encodings without the others; full at the end, empty at the start."""
    facts = [ProgressFacts("x", share, "", "") for share in (0.0, 0.5, 1.0)]
    assert [each.fitted(22, ASCII_MARKS).split("  ")[-1] for each in facts] == ["-" * 13, "#" * 6 + "-" * 7, "#" * 13]


ODD_TEXT = "a\u3000b\u00a0c👨\u200d👩\u00adé\ttab\nline"  # what Chinese, joined emoji and soft hyphens are made of


def test_a_pipe_gets_the_text_as_it_is(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """UTF-8, byte for byte, whatever the stream's own encoding is; a lone surrogate has no bytes."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", io.TextIOWrapper(open(1, "wb", closefd=False), encoding="ascii", newline="\r\n"))  # noqa: SIM115 - a descriptor
        for text in (ODD_TEXT, "\x1b[2J\u202e", "\ud800"):
            terminal.write(text)
        sys.stdout.flush()
    assert capfdbinary.readouterr().out == ODD_TEXT.encode() + b"\x1b[2J\xe2\x80\xae" + b"\\ud800"


def test_a_terminal_gets_no_control_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    """Unicode's own lists say which characters control, are no characters, or turn the direction of writing."""
    stream = Terminal()
    monkeypatch.setattr(sys, "stdout", stream)
    terminal.write(ODD_TEXT)
    assert stream.getvalue() == ODD_TEXT
    marks = {"LEFT-TO-RIGHT MARK", "RIGHT-TO-LEFT MARK", "ARABIC LETTER MARK"}
    turns = {"LRE", "LRO", "RLE", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}
    for code in range(sys.maxunicode + 1):
        char = chr(code)
        turning = unicodedata.bidirectional(char) in turns or unicodedata.name(char, "") in marks
        acts = (unicodedata.category(char) in {"Cc", "Cs"} or turning) and char not in "\n\t"
        assert (terminal.harmless(char) != char) == acts, hex(code)
    assert terminal.harmless("\x1b[2J\x9b\u202e\u2066\r\0") == "\\x1b[2J\\x9b\\u202e\\u2066\\r\\x00"
