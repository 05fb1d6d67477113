"""Descriptors: fields have names, and nobody counts words; moving a field breaks no caller."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from fourcc.kernels import descriptors
from fourcc.kernels.descriptors import JOB, LINE, MATRIX, MODEL, PARTS, WORD, DescriptorLayout, address, matrix
from tests.kernels.short_products import ROOT, environment

LAYOUTS = {name: value for name, value in vars(descriptors).items() if isinstance(value, DescriptorLayout)}
# Names that descriptors have, in the core and in kernels; an index by number into one would count words.
DESCRIPTORS = {"board", "descriptor", "descriptors", "job", "model", "program", "region", "rotation", "state"}
SOURCES = [*(ROOT / "fourcc" / "compute").rglob("*.py"), *(ROOT / "fourcc" / "bench").rglob("*.py")]
SOURCES += [path for path in (ROOT / "kernels").rglob("*.py") if path.name != "descriptors.py"]


@pytest.mark.parametrize("name", LAYOUTS)
def test_fields_lie_apart(name: str) -> None:
    """Each field has a word of its own within the descriptor."""
    layout = LAYOUTS[name]
    offsets = [layout.offset(field) for field in layout.dtype.names or ()]
    assert len(set(offsets)) == len(offsets)
    assert all(at % WORD == 0 and at + WORD <= layout.size for at in offsets)


def test_what_is_written_is_read() -> None:
    """The array's words and its fields show it; one field is a float."""
    model = MODEL.record(width=7, epsilon=1e-5)
    MODEL.write(model, window=1 << 40, scale=0.25)
    assert model[MODEL.offset("window") // WORD] == 1 << 40
    fields = MODEL.fields(model)
    assert fields["width"] == 7
    assert (fields["epsilon"], fields["scale"]) == (np.float32(1e-5), np.float32(0.25))
    fields["heads"] = 3
    assert model[MODEL.offset("heads") // WORD] == 3


def test_an_unknown_field_is_an_error() -> None:
    with pytest.raises(KeyError):
        JOB.record(outt=1)


def test_what_threads_write_has_a_line_of_its_own() -> None:
    board = descriptors.BOARD
    lines = {name: board.offset(name) // LINE for name in board.dtype.names or ()}
    assert all(list(lines.values()).count(lines[name]) == 1 for name in ("left", "done"))
    assert all(layout.size % LINE == 0 for layout in (board, descriptors.THREAD, descriptors.STEP))


def test_the_descriptor_of_a_matrix() -> None:
    """It holds sizes, then addresses, then the bytes of an entry."""
    parts = np.zeros((3, 4), np.float32), np.zeros((3, 2), np.uint8)
    made = matrix(3, 4, parts)
    assert (made[MATRIX.offset("rows") // WORD], made[MATRIX.offset("cols") // WORD]) == (3, 4)
    assert made[PARTS // WORD :].tolist() == [*map(address, parts), 16, 2]


def results(order: str, what: str, **settings: str) -> dict[str, str]:
    """Digests from a process whose descriptors have their fields in an order."""
    command = [sys.executable, "-m", "tests.kernels.reversed_layouts", order, what]
    done = subprocess.run(command, env=environment(**settings), cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    digests: dict[str, str] = json.loads(done.stdout)
    return digests


@pytest.mark.thorough
def test_moving_a_field_changes_no_result() -> None:
    """Products, coding, and a transformer's layer, with every field elsewhere; kernels run as plain Python."""
    declared = results("declared", "results", NUMBA_DISABLE_JIT="1")
    assert len(declared) > 70
    assert results("reversed", "results", NUMBA_DISABLE_JIT="1") == declared


@pytest.mark.thorough
def test_moving_a_field_does_not_harm_a_team(tmp_path: Path) -> None:
    """Jobs and programs, compiled; the process itself checks what they leave."""
    assert results("reversed", "team", FOURCC_CACHE=str(tmp_path), NUMBA_DISABLE_JIT="0")


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_nobody_counts_the_words_of_a_descriptor(path: Path) -> None:
    """No code has an index by number, a slice, or an offset through the size of a word."""
    counted = [node.lineno for node in ast.walk(ast.parse(path.read_text("utf-8"))) if counts(node)]
    assert not counted


def counts(node: ast.AST) -> bool:
    """Whether it indexes a descriptor by anything but a row of a table, or divides by the size of a word."""
    if isinstance(node, ast.Subscript):
        base = node.value
        name = base.attr if isinstance(base, ast.Attribute) else base.id if isinstance(base, ast.Name) else ""
        numbers = (ast.Slice, ast.List, ast.Tuple, ast.BinOp, ast.UnaryOp)
        counted = isinstance(node.slice, numbers) or (
            isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, int)
        )
        return name.lstrip("_") in DESCRIPTORS and counted
    return isinstance(node, ast.BinOp) and isinstance(node.op, ast.FloorDiv) and named_word(node.right)


def named_word(node: ast.AST) -> bool:
    """Whether it is the size of a word."""
    return isinstance(node, ast.Name) and node.id == "WORD"


@pytest.mark.parametrize(
    "line",
    ["job[1:3] = 1, 2", "self._model[0] = 1", "job[[OUT // WORD]] = 1", "state[-1]", "descriptor[A + 1]"],
)
def test_counting_is_seen(line: str) -> None:
    assert any(counts(node) for node in ast.walk(ast.parse(line)))
