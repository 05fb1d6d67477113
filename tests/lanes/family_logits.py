"""Transformers on the tiny models of ``tests/running/family_cases.py``: tensors, configs and logits.

Wants an environment with transformers, torch (for processors) and safetensors; fourcc is not needed::

    python tests/lanes/family_logits.py            # compares with tests/vectors/families.json
    python tests/lanes/family_logits.py --write    # writes it anew
    python tests/lanes/family_logits.py --only gemma

A model is made by transformers from the case's config and saved by it, which tells the names and shapes of its tensors
and how it writes the config; then its weights are replaced by the case's, and it is loaded and asked. Each key of
`TELLING` is changed once: a case whose logits do not notice is an error.
"""

import argparse
import base64
import datetime as dt
import json
import runpy
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers
from safetensors import safe_open
from safetensors.numpy import save_file

TESTS = Path(__file__).parents[1]
STORED = TESTS / "vectors" / "families.json"
(
    CASES,
    PLACES,
    TELLING,
    TOKENS,
    in_blocks,
    weights,
) = (  # by path: from the root, transformers would take our kernels/ for a package of its own
    runpy.run_path(str(TESTS / "running" / "family_cases.py"))[name]
    for name in ("CASES", "PLACES", "TELLING", "TOKENS", "in_blocks", "weights")
)
transformers.logging.disable_progress_bar()
LEAST = 3e-4  # of logits: what a changed key must change

Config = dict[str, Any]


def _class(config: Config) -> type:
    return getattr(transformers, config["architectures"][0])  # type: ignore[no-any-return]


def saved(config: Config, folder: Path) -> tuple[dict[str, list[int]], Config]:
    """The names and shapes of a model's tensors, and its config, as transformers saves them."""
    (folder / "config.json").write_text(json.dumps(config))
    read = transformers.AutoConfig.from_pretrained(folder)
    _class(config)(read).save_pretrained(folder)
    with safe_open(folder / "model.safetensors", "np") as file:
        shapes = {name: file.get_slice(name).get_shape() for name in file.keys()}  # noqa: SIM118 - no mapping
    if "quantization_config" in config:
        shapes = in_blocks(shapes)
    return shapes, json.loads((folder / "config.json").read_text())


def _loading(config: Config) -> Config:
    """A setting with which transformers takes quantized weights on any machine."""
    if "quantization_config" not in config:
        return {}
    return {"quantization_config": transformers.Mxfp4Config(dequantize=True)}


def logits(config: Config, tensors: dict[str, np.ndarray], folder: Path) -> np.ndarray:
    """Logits behind each place, float32 (places, vocabulary): of the whole text at once, without a cache."""
    save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "config.json").write_text(json.dumps({**config, "torch_dtype": "float32"}))
    model, info = _class(config).from_pretrained(  # type: ignore[attr-defined]
        folder, dtype=torch.float32, output_loading_info=True, attn_implementation="eager", **_loading(config)
    )
    odd = {name: value for name, value in info.items() if value}
    if odd:
        raise ValueError(f"transformers did not load all: {odd}")
    with torch.no_grad():
        found: np.ndarray = model.eval()(input_ids=torch.tensor([TOKENS]), use_cache=False).logits[0].numpy()
    return found[list(PLACES)]


def _of_folder(folder: Path) -> np.ndarray:
    """The logits of a model in a folder."""
    config = json.loads((folder / "config.json").read_text())
    with safe_open(folder / "model.safetensors", "np") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - no mapping
    with tempfile.TemporaryDirectory() as at:
        return logits(config, tensors, Path(at))


def asked(name: str) -> tuple[dict[str, list[int]], Config, np.ndarray]:
    """The shapes of a case's tensors, its saved config, its logits; complains of a key that changes nothing."""
    config = CASES[name]
    with tempfile.TemporaryDirectory() as at:
        folder = Path(at)
        shapes, written = saved(config, folder)
        tensors = weights(name, shapes)
        found = logits(config, tensors, folder)
        for change in TELLING.get(name, ()):
            off = float(np.abs(logits({**config, **change}, tensors, folder) - found).max())
            if off < LEAST:
                raise ValueError(f"{name}: {change} changes logits by {off:.3g}")
    return shapes, written, found


def templates(shapes: dict[str, list[int]]) -> dict[str, Any]:
    """Shapes with a layer's tensors in one line: ``*`` stands for the numbers that ``layers`` behind a shape lists."""
    found: dict[str, dict[str, Any]] = {}
    for name, shape in sorted(shapes.items()):
        words = name.split(".")
        at = next((i for i, word in enumerate(words) if word.isdigit() and words[i - 1] in ("layers", "h")), None)
        template = ".".join("*" if i == at else word for i, word in enumerate(words))
        entry = found.setdefault(template, {"shape": list(shape), "layers": []})
        if entry["shape"] != list(shape):
            raise ValueError(f"layers differ in the shape of {template}")
        if at is not None:
            entry["layers"].append(int(words[at]))
    return {name: _entry(**entry) for name, entry in found.items()}


def _entry(shape: list[int], layers: list[int]) -> list[Any]:
    return [*shape, {"layers": sorted(layers)}] if layers else shape


def main() -> int:
    """Compares, or writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="store what transformers says")
    parser.add_argument("--only", default="", help="begin of the names of the cases to ask")
    parser.add_argument("--ask", type=Path, nargs="+", help="folders: print their logits, base64 in JSON, and stop")
    arguments = parser.parse_args()
    if arguments.ask:
        found = [_of_folder(folder).astype("<f4").tobytes() for folder in arguments.ask]
        print(json.dumps([base64.b64encode(data).decode() for data in found]))
        return 0
    found = {name: asked(name) for name in CASES if name.startswith(arguments.only)}
    return _write(found) if arguments.write else _compare(found)


def _write(found: dict[str, tuple[dict[str, list[int]], Config, np.ndarray]]) -> int:
    provenance = {
        "by": "tests/lanes/family_logits.py",
        "date": dt.datetime.now(tz=dt.UTC).date().isoformat(),
        "transformers": transformers.__version__,
        "torch": torch.__version__,
        "numpy": np.__version__,
        "holds": "of each case: shapes of its tensors, its config as transformers saves it, and logits: float32, "
        "little-endian, base64 (places, vocabulary)",
    }
    before = json.loads(STORED.read_text())["cases"] if STORED.exists() else {}
    fresh = {
        name: {
            "tensors": templates(shapes),
            "config": config,
            "logits": base64.b64encode(array.astype("<f4").tobytes()).decode(),
        }
        for name, (shapes, config, array) in found.items()
    }
    cases = {name: (before | fresh)[name] for name in CASES if name in before | fresh}
    lines = ",\n".join(f" {json.dumps(name)}: {json.dumps(case)}" for name, case in cases.items())
    STORED.write_text(f'{{"provenance": {json.dumps(provenance, indent=1)},\n"cases": {{\n{lines}\n}}}}\n')
    return 0


def _compare(found: dict[str, tuple[dict[str, list[int]], Config, np.ndarray]]) -> int:
    stored, worst = json.loads(STORED.read_text())["cases"], 0.0
    for name, (shapes, config, array) in found.items():
        before = np.frombuffer(base64.b64decode(stored[name]["logits"]), "<f4").reshape(array.shape)
        off = float(np.abs(before - array).max())
        same = stored[name]["tensors"] == templates(shapes) and stored[name]["config"].keys() == config.keys()
        print(f"{name}: at most {off:.3g} of {np.abs(array).max():.3g}{'' if same else '; other tensors or keys'}")
        worst = max(worst, off if same else np.inf)
    return int(worst > 1e-3)


if __name__ == "__main__":
    sys.exit(main())
