"""The file of costs: what is written is read again, in equal bytes, and every damage is an error that says where."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest

from fourcc.calibration.costs import Costs, FixedTensor, Option, Unit, by_size
from fourcc.calibration.costs_reading import COSTS, OPTION, UNIT, is_costs, parse_costs, read_costs
from fourcc.errors import FourccError, InputError, UnknownVersionError, UsageError

Tree = dict[str, Any]


def example() -> Costs:
    """Costs of a made-up model of two units."""
    options = (
        Option("Q4_0", {}, {}, 288, 0.01234567891234, 1 / 3, None),
        Option("Q8_0", {"group": 32}, {"search": "best"}, 544, 0.0, 0.0, 1e-5),
    )
    units = (
        Unit("tok_embeddings", ("tok_embeddings",), ("embedding", "output"), ((16, 32),), (0, 1), options),
        Unit("layers.0.qk", ("a", "b"), ("attention.q", "attention.k"), ((8, 32), (8, 32)), (0,), options),
    )
    documents = True
    feedback = {"method": "gptq", "damping": 0.01}
    fixed = (FixedTensor("norm", "F32", 128),)
    return Costs("0.1.0", "avx2", "ab" * 16, None, "cd" * 32, 2000, 64, documents, feedback, units, fixed)


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "model.costs"
    example().write(path)
    assert read_costs(path) == example()
    assert path.read_text() == read_costs(path).dumps()
    assert is_costs(path)


def test_numbers_have_nine_digits() -> None:
    assert example().units[0].options[0].kld == 0.333333333
    assert example().units[0].options[0].output_error == 0.0123456789


def test_an_option_stands_in_one_line() -> None:
    lines = example().dumps().splitlines()
    assert sum(line.startswith('    {"tag"') for line in lines) == 4
    assert sum(line.startswith('  {"name"') for line in lines) == 3


def test_options_come_by_their_bytes() -> None:
    one, other = example().units[0].options
    same = attrs.evolve(one, tag="Q4_X")
    assert by_size([other, same, one]) == (one, same, other)


def test_sizes_of_units() -> None:
    unit = example().units[1]
    assert unit.weights == 512
    assert unit.bits(unit.options[0]) == 4.5
    assert example().fixed_bytes == 128
    assert example().unit("layers.0.qk") is not None
    with pytest.raises(UsageError, match="no unit has this name: found ab"):
        example().unit("ab")


def test_an_existing_file_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "model.costs"
    path.write_text("mine")
    with pytest.raises(UsageError, match="the output exists"):
        example().write(path)
    example().write(path, force=True)
    assert read_costs(path) == example()


def test_a_number_that_is_not_finite_is_not_written() -> None:
    bad = attrs.evolve(example().units[0].options[0], kld=float("nan"))
    unit = attrs.evolve(example().units[0], options=(bad,))
    with pytest.raises(UsageError, match="holds only finite numbers: found nan"):
        attrs.evolve(example(), units=(unit,)).dumps()


def at(*path: str | int, value: object) -> Callable[[Tree], None]:
    """A change that puts a value at a place of the tree."""

    def change(tree: Any) -> None:
        for step in path[:-1]:
            tree = tree[step]
        tree[path[-1]] = value

    return change


def without(*path: str | int) -> Callable[[Tree], None]:
    """A change that removes a place of the tree."""

    def change(tree: Any) -> None:
        for step in path[:-1]:
            tree = tree[step]
        del tree[path[-1]]

    return change


def repeated(*path: str | int) -> Callable[[Tree], None]:
    """A change that has an array's first item twice."""

    def change(tree: Any) -> None:
        for step in path:
            tree = tree[step]
        tree.insert(0, tree[0])

    return change


FIRST = ("units", 0, "options", 0)
DAMAGES = [
    (without("model"), "costs: bad 'model': found 'nothing', expected the key to be there"),
    (at("model", value=1), "costs: bad 'model': found 1, expected text"),
    (at("tokens", value=-1), "costs: bad 'tokens': found -1, expected a whole number"),
    (at("tokens", value=1.5), "costs: bad 'tokens': found 1.5"),
    (at("documents", value=1), "costs: bad 'documents': found 1, expected true or false"),
    (at("colour", value=1), "costs: bad 'colour': found 1, expected only the keys schema, fourcc"),
    (at("units", value=[1]), "costs: bad 'units': found 1, expected an array of maps"),
    (at("units", 0, "name", value=""), "bad 'name': found '', expected 1 to 512 bytes"),
    (at("units", 0, "tensors", value=[]), "tensor 'tok_embeddings': units.0.: bad 'tensors'.*at least one text"),
    (at("units", 0, "roles", value=[1]), "units.0.: bad 'roles'"),
    (at("units", 0, "shapes", value=[]), "units.0.: bad 'shapes': found .., expected 1 shapes, one a tensor"),
    (at("units", 0, "shapes", value=[[-1]]), "units.0.: bad 'shapes'"),
    (at("units", 0, "measured", value=[2]), "bad 'measured': found .2., expected indices of the unit's 2 options"),
    (at("units", 0, "measured", value=[True]), "bad 'measured'"),
    (at("units", 0, "options", value=[]), "bad 'options': found .., expected at least one option"),
    (at("units", 0, "size", value=1), "units.0.: bad 'size'"),
    (at(*FIRST, "tag", value="?"), "options.0.: bad 'tag': found '.', expected one to four of"),
    (at(*FIRST, "nbytes", value=None), "options.0.: bad 'nbytes': found None"),
    (at(*FIRST, "nbytes", value=600), "bad 'options': found .600, 544., expected the options in order of their bytes"),
    (at(*FIRST, "kld", value=-0.5), "options.0.: bad 'kld': found -0.5, expected a number from 0 on"),
    (at(*FIRST, "kld", value="1"), "options.0.: bad 'kld': found '1'"),
    (at(*FIRST, "params", value={"a": None}), "bad 'params'.*expected settings"),
    (at(*FIRST, "params", value={"a": [1]}), "bad 'params'.*expected settings"),
    (at(*FIRST, "colour", value=1), "options.0.: bad 'colour'"),
    (at("fixed", 0, "tag", value=""), "fixed.0.: bad 'tag'"),
    (at("fixed", 0, "name", value="a"), "costs: bad 'units': found 'a', expected each unit and each tensor once"),
    (repeated("units"), "bad 'units': found 'tok_embeddings', expected each unit and each tensor once"),
    (repeated(*FIRST[:3]), "bad 'options': found 'Q4_0 {} {}', expected each option once"),
]


@pytest.mark.parametrize(("change", "message"), DAMAGES)
def test_a_damage_is_an_error_that_says_where(change: Callable[[Tree], None], message: str) -> None:
    tree = json.loads(example().dumps())
    change(tree)
    with pytest.raises(InputError, match=message) as caught:
        parse_costs(json.dumps(tree).encode(), "model.costs")
    assert str(caught.value).startswith("model.costs")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "model.costs: the file of costs is no JSON: Expecting value"),
        (b"[]", "the file of costs is no JSON object: found list"),
        (b"{}", "this is no file of costs: found schema None, expected fourcc.costs/1"),
        (b"\xff\x00\x01", "this is no file of costs: it is of no kind known here. `fourcc measure` writes"),
        (b"GGUF\xff", "this is no file of costs: it looks like a GGUF file. `fourcc measure` writes such a file."),
        (b"[" * 100_000, "the file of costs is no JSON: maximum recursion depth"),
        (b'{"schema": 1, "schema": 1}', "is no JSON: a key twice in one object"),
        (b'{"schema": NaN}', "is no JSON: the number NaN"),
    ],
)
def test_what_is_no_costs_is_refused(data: bytes, message: str) -> None:
    with pytest.raises(InputError, match=message) as caught:
        parse_costs(data, "model.costs")
    assert "`fourcc measure` writes such a file" in str(caught.value)


def test_an_infinite_number_is_refused() -> None:
    text = example().dumps().replace("0.333333333", "1e999", 1)
    with pytest.raises(InputError, match="bad 'kld': found inf"):
        parse_costs(text.encode(), "model.costs")


def test_another_version_is_named() -> None:
    text = example().dumps().replace("fourcc.costs/1", "fourcc.costs/2")
    with pytest.raises(UnknownVersionError, match=r"does not know: found fourcc\.costs/2, expected fourcc\.costs/1"):
        parse_costs(text.encode(), "model.costs")


def test_every_cut_is_refused(tmp_path: Path) -> None:
    data = example().dumps().encode()
    for length in range(0, len(data) - 2, 37):
        with pytest.raises(FourccError):
            parse_costs(data[:length], "model.costs")
    assert not is_costs(tmp_path)
    with pytest.raises(InputError, match="a regular file"):
        read_costs(tmp_path)


def test_the_page_names_every_key(root: Path) -> None:
    """And no other: the tables of specs/costs.md are those of the reader."""
    lines = (root / "specs" / "costs.md").read_text(encoding="utf-8").splitlines()
    named = {key for line in lines if line.startswith("| `") for key in re.findall(r"`(\w+)`", line.split("|")[1])}
    assert named == {*COSTS, *UNIT, *OPTION}
