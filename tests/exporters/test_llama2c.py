"""Export to llama2.c: the bytes that its own exporter would write, and every byte of version 2 there and back."""

from pathlib import Path

import numpy as np
import pytest

import fourcc
from fourcc.errors import FourccError, UsageError
from fourcc.exporters import KINDS
from fourcc.exporters.export import check_targets, execute_export, plan_export
from fourcc.policy import Policy
from fourcc.sources import open_source
from tests.sources.writers import (
    config,
    decoded,
    llama,
    llama2c_v0,
    llama2c_v1,
    llama2c_v2,
    safetensors,
    to_hf,
    tokenizer_bin,
    written,
)

SHAPES = [{}, {"shared": False}, {"dim": 64, "hidden": 96, "heads": 4, "kv_heads": 2, "vocab": 20}]


def export(source: Path, target: Path, version: int, policy: Policy | None = None, **options: object) -> list[str]:
    """Exports to a version; gives the notes."""
    with open_source(source) as opened:
        planned = plan_export(opened, KINDS[f"llama2c-v{version}"], policy, **options)  # type: ignore[arg-type]
        execute_export(planned, check_targets(planned, target, force=True))
        return list(planned.layout.notes)


@pytest.mark.parametrize("shape", SHAPES, ids=["shared", "own output", "wide"])
def test_versions_of_numbers(tmp_path: Path, shape: dict[str, int]) -> None:
    """Every version is made from every other: 1 has the right bytes, 0 too, but for tables, which llama2.c computes."""
    h, tensors = llama(**shape)  # type: ignore[arg-type]
    first, second = llama2c_v0(h, tensors), llama2c_v1(h, tensors)
    v0, v1 = written(tmp_path, "v0", first), written(tmp_path, "v1", second)
    export(v0, tmp_path / "to1", 1)
    assert (tmp_path / "to1").read_bytes() == second
    export(v1, tmp_path / "to0", 0)
    found = (tmp_path / "to0").read_bytes()
    half = h["dim"] // h["heads"] // 2
    tables = 4 * h["seq"] * half * 2
    end = len(first) - (tensors["output"].nbytes if "output" in tensors else 0)
    assert (found[: end - tables], found[end:]) == (first[: end - tables], first[end:])
    cosines, sines = np.frombuffer(found[end - tables : end], "<f4").reshape(2, h["seq"], half)
    turns = np.arange(h["seq"])[:, None] / 10000 ** (np.arange(half) / half)
    np.testing.assert_allclose(cosines, np.cos(turns), atol=1e-6)
    np.testing.assert_allclose(sines, np.sin(turns), atol=1e-6)


@pytest.mark.parametrize("group", [1, 2, 4, 12, 6, 8, 24])
def test_version_2_there_and_back(tmp_path: Path, group: int) -> None:
    """Every byte comes back, also where groups cross the ends of rows of 12 and of 16."""
    h, tensors = llama(hidden=16, vocab=8)
    data, truth = llama2c_v2(h, tensors, group)
    path = written(tmp_path, "v2", data)
    fourcc.convert(path, tmp_path / "model.bin")
    export(tmp_path / "model.bin", tmp_path / "back", 2)
    assert (tmp_path / "back").read_bytes() == data
    export(path, tmp_path / "v1", 1)
    assert (tmp_path / "v1").read_bytes() == llama2c_v1(h, truth)


def test_version_2_from_numbers(tmp_path: Path) -> None:
    """Codes and scales equal those of llama2.c's exporter, in its own group size or in the wanted one."""
    h, tensors = llama(dim=64, hidden=96, heads=4, kv_heads=2, vocab=20)
    path = written(tmp_path, "v0", llama2c_v0(h, tensors))
    export(path, tmp_path / "default", 2)
    assert (tmp_path / "default").read_bytes() == llama2c_v2(h, tensors, 64)[0]
    export(path, tmp_path / "small", 2, group=16)
    assert (tmp_path / "small").read_bytes() == llama2c_v2(h, tensors, 16)[0]
    h, tensors = llama()
    path = written(tmp_path, "v0", llama2c_v0(h, tensors))
    export(path, tmp_path / "odd", 2)
    assert (tmp_path / "odd").read_bytes() == llama2c_v2(h, tensors, 4)[0]  # 64 halved until it divides 12


def test_another_group(tmp_path: Path) -> None:
    """Matrices in groups are brought into groups of the wanted size; without a wish a mixture is refused."""
    h, tensors = llama(dim=64, hidden=96, heads=4, kv_heads=2, vocab=20)
    path = written(tmp_path, "v0", llama2c_v0(h, tensors))
    export(path, tmp_path / "a", 2, group=32)
    export(tmp_path / "a", tmp_path / "b", 2, group=16)
    with open_source(tmp_path / "b") as source:
        groups = {tensor.params["group"] for tensor in source.tensors if len(tensor.shape) > 1}
    assert groups == {16}
    with pytest.raises(UsageError, match=r"groups of 7 do not divide the 1280 weights. --group-size takes"):
        export(path, tmp_path / "c", 2, group=7)
    with open_source(tmp_path / "a") as source:
        tag = str(source.tensors[0].tag)
    text = "version = 1\n"
    for match, group in (("tok*", 16), ("*", 32)):
        text += f'[[rule]]\nmatch = "{match}"\ndims = 2\ntag = "{tag}"\nparams = {{ group = {group} }}\n'
    text += '[[rule]]\nmatch = "*"\nkeep = true\n'
    with pytest.raises(UsageError, match="the tensors have groups of different sizes: found 16, 32"):
        export(path, tmp_path / "c", 2, Policy.parse(text))
    with pytest.raises(UsageError, match="--group-size does nothing here"):
        export(path, tmp_path / "c", 1, group=16)


def test_blocks_are_decoded(tmp_path: Path) -> None:
    """Versions of float32 hold any weights exactly."""
    h, tensors = llama(dim=64, hidden=96, heads=4, kv_heads=2, vocab=20)
    path = written(tmp_path, "v0", llama2c_v0(h, tensors))
    fourcc.convert(path, tmp_path / "model.bin", policy=Policy.shorthand("Q8_0"))
    notes = export(tmp_path / "model.bin", tmp_path / "out", 0)
    assert notes == []
    with fourcc.open(tmp_path / "model.bin") as model, open_source(tmp_path / "out") as source:
        assert all(np.array_equal(array, model[name].decode()) for name, array in decoded(source).items())


def test_the_tokenizer_stays_behind(tmp_path: Path) -> None:
    """The checkpoint has no place for a short group."""
    h, tensors = llama()
    path = written(tmp_path, "v0", llama2c_v0(h, tensors))
    fourcc.convert(path, tmp_path / "model.bin", tokenizer=written(tmp_path, "t.bin", tokenizer_bin(7)))
    notes = export(tmp_path / "model.bin", tmp_path / "out", 0)
    assert notes == ["tokenizer.bin is left out: a llama2.c checkpoint has no place for it"]


def test_models_that_llama2c_cannot_run(tmp_path: Path) -> None:
    """Facts that the file cannot state are refused by name."""
    h, tensors = llama()
    written(tmp_path, "model.safetensors", safetensors(to_hf(h, tensors)))
    fine = {"rope_theta": 10000.0, "rms_norm_eps": 1e-5}
    cases = [
        ({}, "rope_theta is no field of the file: found 500000.0, expected 10000.0, as llama2.c computes"),
        ({"rope_theta": 1e4}, "norm_eps is no field of the file: found 1e-06, expected 1e-05"),
        (
            fine | {"rope_scaling": {"rope_type": "linear", "factor": 2.0}},
            "rope_scaling is no field of the file: found",
        ),
    ]
    for more, message in cases:
        written(tmp_path, "config.json", config(h, **more))
        with pytest.raises(UsageError, match=message):
            export(tmp_path, tmp_path / "out", 0)
    written(tmp_path, "config.json", config(h, **fine))
    export(tmp_path, tmp_path / "out", 1)
    assert (tmp_path / "out").read_bytes() == llama2c_v1(h, tensors)
    with pytest.raises(UsageError, match=r"it lacks tensors: found layers.0.attention.wq"):
        export(tmp_path, tmp_path / "out", 1, exclude=["layers.0.attention.wq"])
    written(tmp_path, "config.json", config(h, **fine, attention_bias=True))
    bias = {"model.layers.0.self_attn.q_proj.bias": np.zeros(12, "<f4")}
    written(tmp_path, "model.safetensors", safetensors(to_hf(h, tensors) | bias))
    written(tmp_path, "config.json", config(h, attention_bias=True, **fine))
    with pytest.raises(UsageError, match=r"it has more tensors: found layers.0.attention.wq.bias"):
        export(tmp_path, tmp_path / "out", 1)
    path = written(tmp_path, "x.safetensors", safetensors(bias))
    (tmp_path / "config.json").unlink()
    with pytest.raises(UsageError, match="its architecture: found nothing, expected llama"):
        export(path, tmp_path / "out", 1)


def test_real_model(data: Path, tmp_path: Path) -> None:
    """Karpathy's own files: version 1 is made from version 0, byte for byte."""
    export(data / "stories260K.bin", tmp_path / "v1", 1)
    assert (tmp_path / "v1").read_bytes() == (data / "stories260K_v1.bin").read_bytes()


def hyper_of(folder: Path, **changes: object) -> Path:
    """A model.bin with changed hyper-parameters."""
    from tests.fuzz.hyper import honest_model

    return honest_model(folder / "m.bin", changes)


@pytest.mark.parametrize("version", [0, 1, 2])
@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"n_layers": 2**31 - 1}, "it lacks tensors: found layers.10.attention_norm, "),
        ({"vocab_size": 2**31 - 1}, "this model cannot be exported: found shape [260, 16], expected 2147483647 x 16"),
        ({"norm_eps": 1e308}, "this model cannot be exported: its hyper-parameter norm_eps: found 1e+308, expected"),
        ({"dim": True}, "this model cannot be exported: its hyper-parameter dim: found True, expected an integer"),
    ],
)
def test_impossible_hyper_parameters(tmp_path: Path, version: int, changes: dict[str, object], said: str) -> None:
    """Impossible sizes are named before anything so large is allocated."""
    with pytest.raises(FourccError) as caught:
        export(hyper_of(tmp_path, **changes), tmp_path / "out", version)
    assert said in str(caught.value)


def test_tables_of_a_long_context(tmp_path: Path) -> None:
    """Version 0 would consist of tables almost alone; version 1 has none, and states any context."""
    for length in (2**31 - 1, 10**9, (1 << 22) + 1):
        path = hyper_of(tmp_path, seq_len=length)
        with pytest.raises(UsageError, match=f"seq_len {length}: found {16 * length} bytes.* Version 1 has none"):
            export(path, tmp_path / "out", 0)
        export(path, tmp_path / "out", 1)
        with open_source(tmp_path / "out") as back:
            assert back.hyper["seq_len"] == length


def test_tables_in_chunks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every chunk size gives the same bytes."""
    path = hyper_of(tmp_path)
    export(path, tmp_path / "whole", 0)
    monkeypatch.setattr("fourcc.exporters.llama2c._CHUNK", 5)
    export(path, tmp_path / "chunks", 0)
    assert (tmp_path / "chunks").read_bytes() == (tmp_path / "whole").read_bytes()


@pytest.mark.parametrize("kind", ["gguf", "safetensors"])
def test_layers_that_are_not_there_are_told(tmp_path: Path, kind: str) -> None:
    """A part of a model can be exported, and a note says that it is a part."""
    with open_source(hyper_of(tmp_path, n_layers=2**31 - 1)) as source:
        plan_export(source, KINDS[kind])
        said = [note for note in source.notes if note.startswith("the model is not complete: there is no layers.2.")]
    assert len(said) == 1
