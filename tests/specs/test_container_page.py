"""The page `specs/container.md`: its example is a file, its tables are complete, a reader written from it agrees."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

import fourcc
from fourcc.container import fields, layout, parse
from fourcc.container.reader import ModelFile
from fourcc.container.resharding import split
from fourcc.container.verify import verify
from tests.container.build import assorted, normal, write_example, write_model
from tests.specs import spec_reader, spec_shards

SCHEMAS = {
    "A tensor": {**parse.TENSOR, **parse.OF_SOME},
    "A part": parse.PART,
    "Root": {**parse.INDEX, **parse.OF_SHARDS},
    "The error": parse.ERROR,
    "The error feedback": parse.FEEDBACK,
}


@pytest.fixture(scope="module")
def page(root: Path) -> str:
    """The page's text."""
    return (root / "specs" / "container.md").read_text()


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """A file of several formats, experts, empty tensors, blobs, and a part of more than one chunk."""
    tensors = assorted() | {"large": fourcc.encode(normal(513, 1024, seed=9), "F32")}
    return write_model(tmp_path / "model.bin", tensors, {"policy.toml": b"version = 1\n", "empty": b""})


def example(page: str) -> list[tuple[int, bytes]]:
    """Offset and bytes of each line of the dump."""
    _, _, dump = page.partition("```hexdump\n")
    lines = []
    for line in dump.partition("```")[0].splitlines():
        offset, text = line[:4], line[6:53].strip()
        zeros = re.fullmatch(r"00\*(\d+)", text)
        lines.append((int(offset, 16), bytes(int(zeros[1])) if zeros else bytes.fromhex(text)))
    return lines


def test_example_is_what_the_writer_writes(page: str, tmp_path: Path) -> None:
    """The dump, line by line, is the file."""
    data = write_example(tmp_path / "model.bin").read_bytes()
    at = 0
    for offset, line in example(page):
        assert offset == at
        assert line == data[at : at + len(line)], f"line {offset:04x}"
        at += len(line)
    assert at == len(data)
    assert f"A file of {len(data)} bytes" in page


def test_example_is_sound(page: str, tmp_path: Path) -> None:
    """Both readers take the dump, and it says what the page says."""
    data = b"".join(line for _, line in example(page))
    path = tmp_path / "model.bin"
    path.write_bytes(data)
    assert list(verify(path)) == []
    with ModelFile(path) as opened:
        assert opened["a"].decode().tolist() == [1, -2]
        assert opened.blob("policy.toml") == b"version = 1\n"
    index, _ = spec_reader.read(data)
    assert spec_reader.damage(data, index) == []
    assert index["tensors"][1]["error"]["max_error"] == pytest.approx(
        1 - spec_reader.decode(data, index["tensors"][1])[0, 0], 1e-5
    )


def rows(page: str, title: str) -> list[str]:
    """The keys that the table under a title lists."""
    section = re.split(r"^#+ ", page.split(f"### {title}\n")[1], maxsplit=1, flags=re.MULTILINE)[0]
    return [
        key
        for cell in re.findall(r"^\| (`[a-z_`, ]+`) \|", section, re.MULTILINE)
        for key in re.findall("[a-z_]+", cell)
    ]


@pytest.mark.parametrize("title", SCHEMAS)
def test_tables_list_every_key(page: str, title: str) -> None:
    """In the order in which they are written."""
    assert rows(page, title) == list(SCHEMAS[title])


def test_small_tables_list_every_key(page: str) -> None:
    """Blobs, sources and providers share one table."""
    _, _, section = page.partition("### Blobs, sources, providers")
    section, _, _ = section.partition("\n\n| blob | holds")
    listed = [
        key
        for cell in re.findall(r"^\| \w* ?\| (`[^|]+`) \|", section, re.MULTILINE)
        for key in re.findall("[a-z_]+", cell)
    ]
    assert listed == [*parse.BLOB, *parse.SOURCE, *parse.PROVIDER]


def test_limits_are_the_code_s(page: str) -> None:
    """Each number stands in the page."""
    assert (layout.INDEX_CAP, layout.CHUNK, layout.ALIGNMENT) == (64 << 20, 1 << 20, 64)
    assert f"| name of a tensor, part or blob | {fields.MAX_NAME_BYTES} bytes |" in page
    assert f"| dimensions | {fields.MAX_DIMENSIONS} |" in page
    assert f"| nesting of unknown values | {fields.MAX_DEPTH} |" in page
    assert f"one for each {fields.BYTES_PER_NODE} bytes, and one item for each {fields.BYTES_PER_ITEM} |" in page
    assert fields.MAX_NUMBER == 2**63 - 1
    assert layout.MAGIC.hex(" ") in page
    assert layout.END_MAGIC.hex(" ") in page
    assert f"version {layout.MAJOR}.{layout.MINOR}" in page


def test_second_reader_is_small_and_independent(root: Path) -> None:
    """It has at most 150 lines, and imports nothing of fourcc."""
    text = (root / "tests" / "specs" / "spec_reader.py").read_text()
    assert text.count("\n") <= 150
    assert not re.search(r"^\s*(from|import) (fourcc|tests)", text, re.MULTILINE)


def test_readers_agree_on_the_list(model: Path) -> None:
    """Names, tags, shapes, parts, sums, blobs and the id."""
    index, digest = spec_reader.read(model.read_bytes())
    with ModelFile(model) as opened:
        assert digest == opened.digest
        assert [t["name"] for t in index["tensors"]] == list(opened)
        for tree, record in zip(index["tensors"], opened.index.tensors, strict=True):
            assert tree["tag"].encode() == record.tag.code
            assert tuple(tree["shape"]) == record.shape
            assert [(p["name"], p["offset"], p["nbytes"], p["sums"]) for p in tree["parts"]] == [
                (p.name, p.offset, p.nbytes, p.sums) for p in record.parts
            ]
        assert [blob["name"] for blob in index["blobs"]] == [blob.name for blob in opened.index.blobs]


def test_the_table_of_a_shard_lists_every_key(page: str) -> None:
    """In the order in which they are written; the limit is the code's."""
    section = page.partition("\n## Shards\n")[2].partition("\nThe **whole**")[0]
    assert re.findall(r"^\| \w* ?\| `(\w+)` \|", section, re.MULTILINE) == list(parse.SHARD)
    assert f"| shards of a set | {parse.MOST_SHARDS:_} |".replace("_", " ") in page


@pytest.mark.parametrize("size", [1, 5000, 100_000])
def test_joiners_agree(model: Path, tmp_path: Path, size: int) -> None:
    """The one that was written from the page makes the file that was cut, of whichever shard it is given."""
    made = split(model, tmp_path / "m", shard_size=size)
    for path in made.files[:2]:
        assert spec_shards.joined(path) == model.read_bytes()


def test_the_list_is_as_its_schema_says(page: str, model: Path, tmp_path: Path) -> None:
    """The schema of the page refuses what leads out of the folder."""
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads(page.partition("```json\n")[2].partition("```")[0])
    validator = jsonschema.Draft202012Validator(schema)
    root = json.loads(split(model, tmp_path / "m", shard_size=5000).path.read_text())
    validator.validate(root)
    assert set(root) == set(schema["properties"])
    for name in ("../m.bin", "/m.bin", "a/m.bin", "a\\m.bin", "C:m.bin", ".m.bin", "m.txt"):
        root["shards"][0]["file"] = name
        assert not validator.is_valid(root), name


def test_readers_decode_alike(model: Path) -> None:
    """Bit for bit, where the second reader knows the format; experts and empty tensors included."""
    data = model.read_bytes()
    index, _ = spec_reader.read(data)
    known = [tensor for tensor in index["tensors"] if tensor["tag"] in {"F32 ", "Q8_0"}]
    assert len(known) >= 7
    with ModelFile(model) as opened:
        for tensor in known:
            ours, theirs = opened[tensor["name"]].decode(), spec_reader.decode(data, tensor)
            assert ours.shape == theirs.shape
            assert np.array_equal(ours.view(np.uint32), theirs.view(np.uint32)), tensor["name"]


def test_readers_agree_on_damage(model: Path) -> None:
    """A flipped bit anywhere in the payload: the same tensor, part and offset."""
    sound = model.read_bytes()
    index, _ = spec_reader.read(sound)
    end = int.from_bytes(sound[-64:-56], "little")
    for at in [*range(64, end, 4099), end - 1]:
        data = bytearray(sound)
        data[at] ^= 16
        model.write_bytes(data)
        ours = [(damage.tensor or "", damage.part, damage.offset) for damage in verify(model)]
        assert ours == spec_reader.damage(bytes(data), index)
        assert len(ours) == 1
