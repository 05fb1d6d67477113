"""The sparse lane: plans models of 140 and 400 GB, whose files are holes, and measures each command's time and memory.

    python tests/lanes/sparse.py

The files have real headers, an index and a config, and take next to no room. Exits with 1 where a command takes longer
than `SECONDS`, or more resident memory than `MEGABYTES`. The short form runs with the other tests.
"""

import argparse
import json
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

SECONDS, MEGABYTES = 5.0, 200.0
COMMAND = """
import sys
from fourcc.resident import peak_resident_bytes
from fourcc.cli.app import main
code = main(sys.argv[1:])
print(peak_resident_bytes(), file=sys.stderr)
sys.exit(code)
"""
POLICY = """
version = 1

[[rule]]
dims = ">=2"
tag = "Q4_K"
fallback = ["F16"]

[[rule]]
match = "*"
keep = true
"""

Shapes = dict[str, tuple[int, ...]]


def llama_config(layers: int, dim: int, kv: int, ffn: int, vocab: int) -> dict[str, object]:
    """The config of a Llama, as transformers writes it; heads have 128 numbers."""
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "hidden_size": dim,
        "intermediate_size": ffn,
        "num_hidden_layers": layers,
        "num_attention_heads": dim // 128,
        "num_key_value_heads": kv // 128,
        "vocab_size": vocab,
        "max_position_embeddings": 131072,
        "rms_norm_eps": 1e-5,
        "rope_theta": 500000.0,
        "hidden_act": "silu",
        "tie_word_embeddings": False,
        "torch_dtype": "bfloat16",
    }


def llama_shapes(layers: int, dim: int, kv: int, ffn: int, vocab: int) -> Shapes:
    """The tensors of a Llama by Hugging Face's names, in the order of the network."""
    shapes: Shapes = {"model.embed_tokens.weight": (vocab, dim)}
    for number in range(layers):
        start = f"model.layers.{number}."
        shapes |= {
            start + "input_layernorm.weight": (dim,),
            start + "self_attn.q_proj.weight": (dim, dim),
            start + "self_attn.k_proj.weight": (kv, dim),
            start + "self_attn.v_proj.weight": (kv, dim),
            start + "self_attn.o_proj.weight": (dim, dim),
            start + "post_attention_layernorm.weight": (dim,),
            start + "mlp.gate_proj.weight": (ffn, dim),
            start + "mlp.up_proj.weight": (ffn, dim),
            start + "mlp.down_proj.weight": (dim, ffn),
        }
    return {**shapes, "model.norm.weight": (dim,), "lm_head.weight": (vocab, dim)}


def mixtral_config(layers: int, dim: int, kv: int, ffn: int, vocab: int, experts: int) -> dict[str, object]:
    """The config of a Mixtral with some experts a layer, two of them active."""
    more = {"num_local_experts": experts, "num_experts_per_tok": 2, "sliding_window": None}
    names = {"architectures": ["MixtralForCausalLM"], "model_type": "mixtral"}
    return {**llama_config(layers, dim, kv, ffn, vocab), **names, **more}


def mixtral_shapes(layers: int, dim: int, kv: int, ffn: int, vocab: int, experts: int) -> Shapes:
    """The tensors of a Mixtral by Hugging Face's names, three matrices an expert."""
    shapes: Shapes = {}
    for name, shape in llama_shapes(layers, dim, kv, ffn, vocab).items():
        if ".mlp." not in name:
            shapes[name] = shape
            continue
        start, matrix = name.split("mlp.")
        if matrix.startswith("gate"):
            shapes[f"{start}block_sparse_moe.gate.weight"] = (experts, dim)
        spelled = {"gate": "w1", "down": "w2", "up": "w3"}[matrix.split("_")[0]]
        for expert in range(experts):
            shapes[f"{start}block_sparse_moe.experts.{expert}.{spelled}.weight"] = shape
    return shapes


def write_model(folder: Path, config: Mapping[str, object], shapes: Shapes, shards: int) -> int:
    """Writes a checkpoint of BF16 in some shards; the weights are holes. Returns the bytes of all files.

    Args:
        folder: is made.
        config: becomes config.json.
        shapes: the tensors by name.
        shards: about as many files, of whole tensors.
    """
    folder.mkdir(parents=True)
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    groups = list(_grouped(shapes, shards))
    places: dict[str, str] = {}
    total = 0
    for number, group in enumerate(groups, 1):
        name = f"model-{number:05}-of-{len(groups):05}.safetensors"
        total += _write_shard(folder / name, group)
        places |= dict.fromkeys(group, name)
    index = {"metadata": {"total_size": 2 * sum(map(_count, shapes.values()))}, "weight_map": places}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index), encoding="utf-8")
    return total


def _count(shape: tuple[int, ...]) -> int:
    rows, *cols = shape
    return rows * (cols[0] if cols else 1)


def _grouped(shapes: Shapes, shards: int) -> Iterator[Shapes]:
    """The tensors, in order, in groups of about equal bytes."""
    limit = sum(map(_count, shapes.values())) / shards
    group, held, done, filled = Shapes(), 0, 0, 0
    for name, shape in shapes.items():
        if group and filled + held + _count(shape) / 2 > limit * (done + 1) and done + 1 < shards:
            yield group
            filled, done = filled + held, done + 1
            group, held = Shapes(), 0
        group[name], held = shape, held + _count(shape)
    yield group


def _write_shard(path: Path, shapes: Shapes) -> int:
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, shape in shapes.items():
        start, end = end, end + 2 * _count(shape)
        header[name] = {"dtype": "BF16", "shape": list(shape), "data_offsets": [start, end]}
    text = json.dumps(header).encode()
    with path.open("wb") as out:
        out.write(struct.pack("<Q", len(text)) + text)
        out.truncate(8 + len(text) + end)
    return 8 + len(text) + end


LLAMA = (80, 8192, 1024, 28672, 128256)
MIXTRAL = (64, 6144, 1024, 6400, 32768, 26)


def write_llama(folder: Path) -> int:
    """A model with the sizes of a Llama of 70 billion weights: 141 GB in 30 shards."""
    return write_model(folder, llama_config(*LLAMA), llama_shapes(*LLAMA), 30)


def write_mixtral(folder: Path) -> int:
    """A mixture of experts of 400 GB, more than 5,000 tensors, in 80 shards."""
    return write_model(folder, mixtral_config(*MIXTRAL), mixtral_shapes(*MIXTRAL), 80)


def commands(source: Path, policy: Path) -> list[list[str]]:
    """The commands that look at a model before anything is read of its weights."""
    folder = source.parent
    plan = ["convert", str(source), "-o", str(folder / "x.bin"), "--recipe", "Q4_K_M", "--dry-run"]
    quantized = ["quantize", str(source), "-o", str(folder / "x.gguf"), "--recipe", "Q4_K_M", "--dry-run"]
    exported = ["export", str(source), "-o", str(folder / "y.gguf"), "--recipe", "Q4_K_M", "--dry-run"]
    checked = ["policy", "check", str(policy), str(source)]
    return [plan, [*plan, "--json"], ["inspect", str(source)], checked, quantized, [*quantized, "--json"], exported]


def measured(command: list[str]) -> tuple[float, float]:
    """Seconds, and the peak of resident memory in MB, of a command in a process of its own."""
    start = time.perf_counter()
    done = subprocess.run([sys.executable, "-c", COMMAND, *command], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{command}: {done.stderr}")
    return time.perf_counter() - start, int(done.stderr.split()[-1]) / 1e6


def main() -> int:
    """Makes the models, measures, prints."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dir", type=Path, help="where files may have holes")
    args = parser.parse_args()
    over = 0
    with tempfile.TemporaryDirectory(dir=args.dir) as folder:
        policy = Path(folder) / "policy.toml"
        policy.write_text(POLICY, encoding="utf-8")
        for name, write in (("llama", write_llama), ("mixtral", write_mixtral)):
            nbytes = write(Path(folder) / name)
            print(f"{name}: {nbytes / 1e9:.0f} GB")
            for command in commands(Path(folder) / name, policy):
                seconds, megabytes = measured(command)
                over += seconds > SECONDS or megabytes > MEGABYTES
                shown = " ".join(part.replace(folder, ".") for part in command)
                print(f"  {seconds:5.2f} s  {megabytes:4.0f} MB  fourcc {shown}")
    return int(over > 0)


if __name__ == "__main__":
    sys.exit(main())
