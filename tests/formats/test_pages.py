"""The pages in ``specs/``, one for each tag: their form, their statements about the layout, their worked examples."""

import re
import tomllib
from pathlib import Path

import numpy as np
import pytest

from fourcc.arrays import Array
from fourcc.encoding import encode
from fourcc.plugins.entries import OWN
from fourcc.plugins.registry import registry
from fourcc.qmatrix import QMatrix, numpy_dtype
from fourcc.settings import complete
from fourcc.tags import FourCC, as_tag

HEADINGS = [
    "Tag",
    "Layout",
    "Decoding",
    "Encoding",
    "Bits per weight",
    "Error bound",
    "Products",
    "Corner cases",
    "Worked example",
    "Provenance",
]
TAGS = [tag for tag in registry if registry.entry(tag).distribution == OWN]
every = pytest.mark.parametrize("tag", TAGS, ids=str)


@pytest.fixture
def page(tag: FourCC, root: Path) -> str:
    """The tag's page."""
    return (root / "specs" / f"{str(tag).lower()}.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def reserved(root: Path) -> list[dict[str, str]]:
    """The entries of ``specs/REGISTRY.toml``."""
    entries: list[dict[str, str]] = tomllib.loads((root / "specs" / "REGISTRY.toml").read_text(encoding="utf-8"))["tag"]
    return entries


def example(page: str) -> dict[str, list[str]]:
    """The page's example: key -> words; ``word*3`` stands for three of them."""
    block = re.search(r"^```example\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    assert block is not None, "the page has no block ```example"
    lines = dict(line.split(": ") for line in block[1].splitlines())
    return {key: [word for item in text.split() for word in repeated(item)] for key, text in lines.items()}


def repeated(item: str) -> list[str]:
    """``x*3`` -> x x x."""
    word, _, count = item.partition("*")
    return [word] * int(count or 1)


@every
def test_every_page_has_the_same_headings(tag: FourCC, page: str) -> None:
    assert page.startswith(f"# {tag}\n")
    assert re.findall(r"^## (.*)$", page, re.MULTILINE) == HEADINGS


@every
def test_the_page_names_the_bytes_of_the_tag_and_the_parts(tag: FourCC, page: str) -> None:
    parts = ", ".join(f"`{part.name}`" for part in registry[tag].parts)
    line = next(line for line in page.splitlines() if line.startswith(f"| `{tag}` |"))
    cells = [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
    assert cells[1] == f"`{tag.code.hex(' ')}`"
    assert cells[4].split(",")[0] == np.dtype(registry[tag].decoded).name
    assert cells[5] == parts
    for system, identity in registry[tag].foreign.items():
        assert str(identity).replace("|", "\\|") in cells[6], f"{system} {identity}"


@every
def test_the_page_names_the_bits_per_weight(tag: FourCC, page: str) -> None:
    stated = re.search(r"\*\*([0-9.]+)\*\*", page[page.index("## Bits per weight") : page.index("## Error bound")])
    assert stated is not None
    assert float(stated[1]) == registry[tag].bits_per_weight()


@every
def test_the_page_says_what_its_vectors_pin(tag: FourCC, page: str) -> None:
    has_encoder = registry[tag].encode is not None
    assert (f"`vectors/{str(tag).lower()}.json`" in page) == has_encoder
    assert (f"Encoder version {registry[tag].encoder_version}." in page) == has_encoder


@every
def test_the_worked_example_decodes_as_written(tag: FourCC, page: str) -> None:
    words = example(page)
    spec = registry[tag]
    shape = tuple(map(int, words["shape"]))
    params = complete(spec.params, {})
    shapes = spec.part_shapes(shape, params)
    parts = {part.name: stored(words[part.name], part.dtype).reshape(shapes[part.name]) for part in spec.parts}
    decoded = QMatrix(tag, shape, parts, params).decode()
    if spec.real:
        expected = np.array(words["decoded"], np.float64).reshape(shape)
        np.testing.assert_allclose(decoded, expected, rtol=2e-7)  # the page rounds to seven digits
    else:
        assert decoded.reshape(-1).tolist() == [int(word) for word in words["decoded"]]
    if "weights" in words:
        encoded = encode(np.array(words["weights"], np.float64).astype(np.float32).reshape(shape), tag)
        assert {name: part.tobytes().hex() for name, part in encoded.parts.items()} == {
            name: part.tobytes().hex() for name, part in parts.items()
        }


def stored(words: list[str], dtype: object) -> Array:
    """The bytes of a part."""
    return np.frombuffer(bytes.fromhex("".join(words)), numpy_dtype(dtype))  # type: ignore[arg-type]


def test_the_registry_file_lists_exactly_the_installed_tags(reserved: list[dict[str, str]]) -> None:
    listed = {entry["tag"]: entry for entry in reserved if entry["status"] == "stable"}
    assert sorted(listed) == sorted(map(str, TAGS))
    for tag in TAGS:
        spec = registry[tag]
        assert (listed[str(tag)]["name"], listed[str(tag)]["summary"]) == (spec.name, spec.summary)
        assert listed[str(tag)]["since"]


def test_every_listed_tag_is_reserved_once_and_names_its_stem(reserved: list[dict[str, str]]) -> None:
    tags = [entry["tag"] for entry in reserved]
    assert len(set(tags)) == len(tags)
    for entry in reserved:
        assert as_tag(entry["tag"]).reserved
        assert entry["stem"] == entry["tag"].lower()
        assert entry["status"] in {"stable", "reserved", "retired"}
        assert set(entry) - {"since"} == {"tag", "name", "stem", "status", "summary"}
