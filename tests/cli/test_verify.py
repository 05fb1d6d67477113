"""`fourcc verify`."""

from pathlib import Path

from fourcc.container.reader import ModelFile
from tests.cli.making import Runner


def damaged(model: Path, path: Path, *offsets: int) -> Path:
    """A copy with one bit flipped at each offset."""
    data = bytearray(model.read_bytes())
    for offset in offsets:
        data[offset] ^= 1
    path.write_bytes(data)
    return path


def part(model: Path, tensor: str) -> tuple[str, int, int]:
    """Name, offset and length of a tensor's first part."""
    with ModelFile(model) as opened:
        first = opened.record(tensor).parts[0]
    return first.name, first.offset, first.nbytes


def test_a_whole_file(run: Runner, model: Path) -> None:
    """The exit code is 0, and there is one line."""
    ended = run("verify", model)
    size = model.stat().st_size
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith(f"{model}: {size} bytes")
    assert ended.out.endswith(", no damage\n")


def test_every_damage_is_named(run: Runner, model: Path, tmp_path: Path) -> None:
    """It goes on to the end; tensor, part and bytes of each; exit code 1."""
    places = [part(model, name) for name in ("layers.0.attention.wq", "norm")]
    path = damaged(model, tmp_path / "bad.bin", *(offset + 5 for _, offset, _ in places))
    ended = run("verify", path)
    assert ended.code == 1
    first, second, summary = ended.out.splitlines()
    (a, start_a, size_a), (b, start_b, size_b) = places
    what = "bytes differ from their checksum"
    wq = f"tensor 'layers.0.attention.wq', part '{a}'"
    assert first == f"{wq}, bytes {start_a} to {start_a + size_a - 1}: {what}"
    assert second == f"tensor 'norm', part '{b}', bytes {start_b} to {start_b + size_b - 1}: {what}"
    assert summary.endswith("2 damaged places")


def test_quiet_prints_damage_only(run: Runner, model: Path, tmp_path: Path) -> None:
    """`-q` leaves out all else."""
    assert run("verify", "-q", model).out == ""
    _, offset, _ = part(model, "norm")
    assert len(run("verify", "-q", damaged(model, tmp_path / "bad.bin", offset)).out.splitlines()) == 1


def test_json(run: Runner, model: Path, tmp_path: Path) -> None:
    """The object has the schema's keys."""
    name, offset, nbytes = part(model, "norm")
    path = damaged(model, tmp_path / "bad.bin", offset)
    ended = run("verify", path, "--json")
    assert ended.code == 1
    assert ended.document == {
        "schema": "fourcc.verify/1",
        "file": str(path),
        "bytes": path.stat().st_size,
        "intact": False,
        "damage": [
            {
                "what": "bytes differ from their checksum",
                "file": None,
                "tensor": "norm",
                "part": name,
                "offset": offset,
                "bytes": nbytes,
            }
        ],
    }
    assert run("verify", model, "--json").document["intact"] is True


def test_a_damaged_index_is_damage(run: Runner, model: Path, tmp_path: Path) -> None:
    """The file is recognisably one of ours."""
    with ModelFile(model) as opened:
        offset = opened.members[0].tail.index_offset
    ended = run("verify", damaged(model, tmp_path / "bad.bin", offset + 9))
    assert ended.code == 1
    assert "the index is damaged" in ended.out


def test_a_cut_file_is_damage(run: Runner, model: Path, tmp_path: Path) -> None:
    """So is one that something was appended to."""
    path = tmp_path / "cut.bin"
    path.write_bytes(model.read_bytes()[:-1])
    assert run("verify", path).code == 1
    path.write_bytes(model.read_bytes() + b"x")
    assert run("verify", path).code == 1


def test_an_unknown_format_is_no_damage(run: Runner, unknown: Path) -> None:
    """Checksums need no plugin."""
    assert run("verify", unknown).code == 0


def test_no_model_at_all(run: Runner, tiny: Path, tmp_path: Path) -> None:
    """The exit code is 3 for another file or an empty one, and 4 for none."""
    ended = run("verify", tiny)
    assert ended.code == 3
    assert ended.err.startswith(f"fourcc: error: {tiny}: only a model.bin has checksums, and this is none: ")
    empty = tmp_path / "empty"
    empty.touch()
    assert run("verify", empty).code == 3
    ended = run("verify", tmp_path / "none")
    assert (ended.code, ended.err) == (4, f"fourcc: error: {tmp_path}/none: No such file or directory\n")
