"""Pages that are made: every command, every public name and every format has its place, and so has every page."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import fourcc
from fourcc import FourccError, errors
from fourcc.cli.app import COMMANDS
from fourcc.plugins.entries import OWN
from specs.site import commands, made, measured, navigation, pictures, python_names


@pytest.fixture(scope="module")
def pages(root: Path) -> dict[str, str]:
    """Every page that is made."""
    return made.pages(root)


def addresses(root: Path, pages: dict[str, str]) -> set[str]:
    """All pages of the site."""
    stored = {path.relative_to(root / "specs").as_posix() for path in (root / "specs").rglob("*.md")}
    return stored | set(pages)


def listed(nav: list[Any]) -> Iterator[str]:
    """The addresses of a navigation."""
    for each in nav:
        for value in each.values() if isinstance(each, dict) else [each]:
            yield from listed(value) if isinstance(value, list) else [value]


def test_every_command_has_a_page(pages: dict[str, str]) -> None:
    """With its usage and every option of its help, hidden ones left out."""
    assert {name.rsplit("/", 1)[1] for name in pages if name.startswith(commands.FOLDER)} == {
        "index.md",
        *(f"{name}.md" for name in COMMANDS),
    }
    for name, command in commands.application().commands.items():
        page = pages[f"{commands.FOLDER}/{name}.md"]
        for inner in getattr(command, "commands", {"": command}).values():
            options = [each for each in inner.params if each.param_type_name == "option" and not each.hidden]
            assert options
            assert not [each.opts for each in options if each.opts[-1] not in page]


def test_examples_are_code(pages: dict[str, str]) -> None:
    page = pages[f"{commands.FOLDER}/convert.md"]
    code = re.findall(r"```sh\n(.*?)\n```", page, re.DOTALL)
    assert code[0].startswith("fourcc convert")
    assert "fourcc convert stories.bin -o model.bin --format F16" in code[1]
    assert "\b" not in page


def test_every_public_name_has_a_page(root: Path) -> None:
    """One each; the index links to it."""
    found = [name for names in python_names.by_page(root).values() for name in names]
    assert sorted(found) == sorted(fourcc.__all__)
    index = python_names.pages(root)[f"{python_names.FOLDER}/index.md"]
    assert all(f"#fourcc.{name})" in index for name in fourcc.__all__)


def test_every_kind_of_error_is_described(root: Path) -> None:
    """The page has those that leave the library, by their homes."""
    page = python_names.pages(root)[f"{python_names.FOLDER}/errors.md"]
    kinds = {name for name, each in vars(errors).items() if isinstance(each, type) and issubclass(each, FourccError)}
    assert set(re.findall(r"^::: fourcc\.(?:errors\.)?(\w+)$", page, re.MULTILINE)) == kinds


def test_a_name_without_a_place_is_refused() -> None:
    with pytest.raises(ValueError, match=r"fourcc\.new \(fourcc\.nowhere\.new\) has no page"):
        python_names._page("new", "fourcc.nowhere.new")


def test_every_format_is_in_the_gallery(pages: dict[str, str]) -> None:
    """With its drawing, and a link to its page."""
    gallery = pages["formats/index.md"]
    assert re.findall(r'<tr id="format-([^"]*)"', gallery) != []
    for tag in fourcc.registry:
        assert gallery.count(f'<tr id="format-{str(tag).strip()}"') == 1, tag
    assert gallery.count('class="fc-block"') == len(fourcc.registry)


def test_every_page_has_a_place(root: Path, pages: dict[str, str]) -> None:
    """Once."""
    known = addresses(root, pages)
    found = list(listed(navigation.arranged(known)))
    assert sorted(found) == sorted(known)


def test_a_page_without_a_place_is_refused() -> None:
    with pytest.raises(ValueError, match=r"without a place in the navigation .*: elsewhere/page\.md"):
        navigation.arranged(["index.md", "elsewhere/page.md"])


def test_sections_that_are_not_there_leave_no_gap() -> None:
    assert navigation.arranged(["index.md", "howto/talk.md"]) == [{"Home": "index.md"}, {"How-to": ["howto/talk.md"]}]


def test_every_encoder_is_measured(root: Path) -> None:
    """A new format that encodes real numbers wants `python -m tests.lanes.measured_formats`."""
    own = [fourcc.registry[tag] for tag in fourcc.registry if fourcc.registry.entry(tag).distribution == OWN]
    able = {str(each.tag) for each in own if each.encode is not None and each.real}
    assert set(measured.rows((root / measured.ERRORS).read_text(encoding="utf-8"))) == able


def test_figures_are_those_of_the_tables(root: Path) -> None:
    """Here for a format with all of them, one that loses nothing, and one that is only decoded."""
    full, exact, none = (measured.of(tag, root) for tag in ("Q4_K", "F32", "IQ2S"))
    assert full.gauss == 22.91
    assert full.speed is not None
    assert exact.gauss == exact.heavy == float("inf")
    assert none == measured.Figures()


def test_a_page_without_the_table_of_types_is_named(tmp_path: Path) -> None:
    (tmp_path / "specs").mkdir()
    (tmp_path / measured.SPEEDS).write_text("# Speed\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"specs/performance\.md: the table of types is gone"):
        measured.speeds_heading(tmp_path)


def test_rows_are_read_by_their_heads() -> None:
    text = "words\n\n| t | a | b |\n|---|--:|--:|\n| `X1` | 2 | 3 / 4 |\n| `Y1` | - | 5 |\n"
    assert measured.rows(text) == {"X1": {"a": "2", "b": "3 / 4"}, "Y1": {"a": "-", "b": "5"}}
    assert measured.rows("nothing\n") == {}


def test_the_line_of_the_picture_goes_down() -> None:
    """A point is on it that no other one beats in both numbers."""
    assert pictures.unbeaten([(4, 0.1), (2, 0.5), (3, 0.6), (5, 0.1), (4, 0.2), (6, 0.05)]) == [
        (2, 0.5),
        (4, 0.1),
        (6, 0.05),
    ]


def test_a_picture_in_two_colours_goes_by_the_choice_of_the_reader(root: Path) -> None:
    """A theme shows what ends in `#only-light` or `#only-dark`; other pictures stay."""
    dark = '<source media="(prefers-color-scheme: dark)" srcset="p/dark.svg">'
    text = f'a\n<picture>\n  {dark}\n  <img alt="b" src="p/light.svg" width="7">\n</picture>\n<img src="c.svg">'
    assert pictures.filled(text, root) == (
        'a\n<img alt="b" src="p/light.svg#only-light" width="7"><img alt="b" src="p/dark.svg#only-dark" width="7">'
        '\n<img src="c.svg">'
    )
