"""Every table and every help page at 40, 80 and 200 columns: nothing is cut, nothing is left out without a word."""

import ast
import pkgutil
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path

import pytest
from typer.main import get_command

import fourcc.cli
from fourcc.cli.app import build
from fourcc.cli.render import help_pages, tables, terminal
from fourcc.cli.render.stats_tables import Field
from fourcc.cli.render.tables import Column
from fourcc.cli.render.text_width import text_width, wrapped
from tests.cli.making import Runner
from tests.cli.test_app import commands

WIDTHS = (40, 80, 200)
NAMES = (
    "layers.0.attention.wq",
    "model.vision_tower.vision_model.encoder.layers.11.self_attn.out_proj.weight_scale_and_zero_point_packed",
    "層.0.注意.重み",
    "e\u0301te\u0301.0.wq",
    "a name with blanks",
    "x\x1b[2Jy\nz",
)
SENTENCE = (
    "a sentence of a plugin that says in many words what it does, and that ends only after a hundred and ten characters"
)
# Tables whose columns are chosen while the program runs, and where their columns come from.
MADE_LATER = {
    "bench_tables": {"columns": "`_table` and `_compare`: one column for each SIMD target, beside those of PRODUCTS"},
    "format_advice": {},
    "show_model": {"*_table(model.index)": "COLUMNS, with PARAMS where a layout has parameters"},
    "stats_tables": {"[field.column for field in fields]": "ALONE_FIELDS or COMPARED_FIELDS"},
}


def modules() -> Iterator[str]:
    """The modules of the command line."""
    yield from (found.name for found in pkgutil.walk_packages(fourcc.cli.__path__, "fourcc.cli."))


def columns_in(value: object) -> tuple[Column, ...]:
    """The columns of a table, if the value holds one."""
    if not isinstance(value, tuple) or not value or isinstance(value, (Column, Field)):
        return ()
    if all(isinstance(each, Field) for each in value):
        return tuple(each.column for each in value)
    return value if all(isinstance(each, Column) for each in value) else ()


def every_table() -> dict[str, tuple[Column, ...]]:
    """Module and name -> columns."""
    found = {}
    for module in modules():
        for name, value in vars(import_module(module)).items():
            if columns := columns_in(value):
                found[f"{module.rpartition('.')[2]}.{name}"] = columns
    return found


TABLES = every_table()


def hostile(columns: tuple[Column, ...]) -> list[list[str]]:
    """A row for each of the names, with long numbers, words and sentences."""
    rows = []
    for name in NAMES:
        others = (SENTENCE if each.wraps else "123456.789" if each.right else "4096 x 11008" for each in columns[1:])
        rows.append([name, *others])
    return rows


def on_a_terminal(monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    """Lets stdout be a terminal of that width, without colours."""
    monkeypatch.setattr(terminal, "on_terminal", lambda stream: stream is sys.stdout)
    monkeypatch.setenv("COLUMNS", str(width))
    monkeypatch.setenv("NO_COLOR", "1")


def too_wide(text: str, width: int) -> list[str]:
    """The lines that are wider than the terminal though they have several words, and so could have been broken."""
    return [
        line
        for line in text.splitlines()
        if text_width(line) > width
        and len(line.removesuffix("\\").split()) > 1
        and not re.fullmatch(r"\s+(['\"]).*\1( \\)?", line)
    ]


def test_every_table_is_known() -> None:
    """Each table that is written has its columns in a constant, or stands above with where they come from."""
    unknown = []
    for module in modules():
        name = module.rpartition(".")[2]
        path = Path(str(import_module(module).__file__))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "tables.show":
                given = ast.unparse(node.args[0])
                parts = re.findall(r"[A-Z_]{2,}", given)
                if not (
                    given in MADE_LATER.get(name, {}) or (parts and all(f"{name}.{each}" in TABLES for each in parts))
                ):
                    unknown.append(f"{name}: {given}")
    assert not unknown
    assert len(TABLES) > 25


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", TABLES)
def test_every_table_at_every_width(
    name: str, width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No line is wider than the terminal, every name is whole, every column is there or named below."""
    columns = TABLES[name]
    rows = hostile(columns)
    on_a_terminal(monkeypatch, width)
    shown = tables.show(columns, rows)
    out = capsys.readouterr().out
    assert not too_wide(out.replace(NAMES[4], "x"), width)
    assert all(terminal.safe(each) in out for each in NAMES)
    table, _, note = out.partition("wider terminals also show: ")
    hidden = [column.title for column in columns if column not in shown]
    assert " ".join(note.split()) == ", ".join(hidden)
    assert all(column.leave for column in columns if column not in shown)
    heads = table.partition(NAMES[0])[0]
    assert all(column.title in heads for column in shown)
    for column in shown[1:]:
        words = SENTENCE.split() if column.wraps else ["123456.789" if column.right else "4096 x 11008"]
        assert all(table.count(word) >= len(rows) for word in words)


@pytest.mark.parametrize("name", TABLES)
def test_elsewhere_a_row_is_a_line(
    name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A pipe gets all columns, whatever COLUMNS says."""
    monkeypatch.setenv("COLUMNS", "40")
    columns = TABLES[name]
    assert tables.show(columns, hostile(columns)) == columns
    head, *lines = capsys.readouterr().out.splitlines()
    assert all(column.title in head for column in columns)
    assert len(lines) == len(NAMES)


RUNS = (
    ("inspect", "MODEL"),
    ("inspect", "TINY"),
    ("inspect", "MODEL", "--tensor", "layers.0.attention.wq"),
    ("verify", "MODEL"),
    ("diff", "TINY", "MODEL"),
    ("convert", "TINY", "--format", "Q4_A:method=kmeans,F16", "--dry-run"),
    ("policy", "recipes"),
    ("policy", "check", "POLICY", "TINY"),
    ("stats", "TINY", "--include", "*.0.*"),
    ("stats", "TINY", "--include", "*.0.*w?", "--format", "Q4_0,F16"),
    ("stats", "TINY", "--include", "norm"),
    ("stats", "MODEL", "--include", "*.0.*w?", "--suggest"),
    ("formats",),
    ("formats", "Q4_A"),
    ("formats", "--files"),
    ("plugin", "test", "--list"),
    ("cache",),
)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("words", RUNS, ids=" ".join)
def test_output_at_every_width(
    run: Runner, words: tuple[str, ...], width: int, tiny: Path, model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Tables, facts and what stands below them."""
    on_a_terminal(monkeypatch, width)
    files = {"TINY": tiny, "MODEL": model, "POLICY": tiny.with_name("mixed.toml")}
    ended = run(*(files.get(word, word) for word in words))
    assert ended.out
    assert not too_wide(ended.out, width)


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_every_help_page_at_every_width(
    run: Runner, words: tuple[str, ...], width: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As wide as the terminal, up to a width that can be read; whole words, options below each other."""
    monkeypatch.setenv("COLUMNS", str(width))
    page = run(*words, "-h").out
    assert not too_wide(page, min(width, help_pages.WIDEST))
    assert page.startswith("Usage: fourcc")
    options = re.findall(
        r"^  (?:-\w, )?(--[\w-]+)", page.partition("\nOptions:")[2].partition("\nExamples")[0], re.MULTILINE
    )
    assert len(options) == len(set(options))
    assert "..." not in page.replace("[ARGS]...", "").replace("MODEL...", "").replace(",...", "").replace(", ...", "")
    assert "\x1b" not in page
    if words == ("convert",):
        assert max(map(len, page.splitlines())) > 0.9 * min(width, help_pages.WIDEST)


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_the_help_of_options(words: tuple[str, ...]) -> None:
    """Sentences, with one default at most, and none of a type that only programmers know."""
    command = get_command(build([]))
    for word in words:
        command = command.commands[word]
    context = command.context_class(command, info_name="fourcc")
    for parameter in command.get_params(context):
        names, text = parameter.get_help_record(context)
        assert text.count("default") <= 1, names
        assert not text.startswith("Of "), names
        assert re.sub(r"  \[[^\]]*\]$", "", text).endswith("."), names
        assert "Default:" not in text, names
        assert not re.search(r"0: all.*default: 0", text), names


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_examples_are_the_same_at_any_width(
    run: Runner, words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A command that goes on behind a backslash is the same one."""
    found = []
    for width in WIDTHS:
        monkeypatch.setenv("COLUMNS", str(width))
        examples = run(*words, "-h").out.partition("\nExamples:\n")[2].partition("\n\n")[0]
        found.append([shlex.split(line) for line in examples.replace("\\\n", " ").splitlines()])
    assert found[0] == found[1] == found[2]


def test_facts_go_on_below_themselves(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Beside the name where there is room, else below it; between words; a word that is too long stays whole."""
    pairs = [("id", "a" * 50), ("hyper-parameters", " ".join(f"n{number}=1000" for number in range(12))), ("x", "")]
    on_a_terminal(monkeypatch, 60)
    tables.facts(pairs)
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == ["id", "  " + "a" * 50]
    assert lines[2] == "hyper-parameters  n0=1000 n1=1000 n2=1000 n3=1000 n4=1000"
    assert lines[3].startswith(" " * 18 + "n5=1000 ")
    assert lines[-1] == "x"
    on_a_terminal(monkeypatch, 40)
    tables.facts(pairs)
    assert "hyper-parameters\n  n0=1000 n1=1000" in capsys.readouterr().out


def test_a_paragraph_is_wrapped_on_a_terminal_only(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its further lines are indented."""
    tables.paragraph(SENTENCE)
    assert capsys.readouterr().out == f"{SENTENCE}\n"
    on_a_terminal(monkeypatch, 40)
    tables.paragraph(SENTENCE)
    first, *lines = capsys.readouterr().out.splitlines()
    assert all(line.startswith("  ") and len(line) <= 40 for line in lines)
    assert " ".join([first, *map(str.strip, lines)]) == SENTENCE


@pytest.mark.parametrize(("text", "width"), [("wq", 2), ("重み", 4), ("e\u0301", 1), ("\uff57q", 3), ("", 0)])
def test_columns_of_characters(text: str, width: int) -> None:
    """Wide ones take two, marks that are drawn over others none."""
    assert text_width(text) == width


def test_wide_names_are_aligned() -> None:
    """Numbers stand below each other, whatever the names are written in."""
    lines = list(tables.lines((Column("name"), Column("n", right=True)), [["重み", "1"], ["wq", "2"]]))
    assert [text_width(line) for line in lines] == [7, 7, 7]
    assert wrapped("重み 重み wq", 9) == ["重み 重み", "wq"]


@pytest.mark.parametrize("words", [["--help"], ["convert", "--help"], ["formats", "--help"]], ids=" ".join)
def test_help_loads_nothing_heavy(words: list[str]) -> None:
    """Pages come at once: no rich, no numpy."""
    code = "import sys; from fourcc.cli.app import main; main(sys.argv[1:]); sys.stdout.flush(); print(*sys.modules)"
    printed = subprocess.check_output([sys.executable, "-c", code, *words], text=True)
    loaded = {name.partition(".")[0] for name in printed.splitlines()[-1].split()}
    assert not loaded & {"rich", "numpy", "numba", "pydantic", "jinja2", "matplotlib"}
