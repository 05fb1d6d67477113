"""What transformers' classes take where a config is silent: the plain numbers, flags and words among their defaults.

Wants an environment with transformers; fourcc is not needed::

    python tests/lanes/config_silence.py            # compares with tests/vectors/config_silence.json
    python tests/lanes/config_silence.py --write    # writes it anew
"""

import argparse
import dataclasses
import datetime as dt
import json
import sys
from pathlib import Path

import transformers
from transformers.models.auto.configuration_auto import CONFIG_MAPPING

STORED = Path(__file__).parents[1] / "vectors" / "config_silence.json"
CLASSES = [
    "llama",
    "mistral",
    "qwen2",
    "qwen3",
    "gemma",
    "gemma2",
    "gemma3_text",
    "phi3",
    "smollm3",
    "olmo2",
    "granite",
    "gpt2",
    "gpt_neox",
    "starcoder2",
    "stablelm",
    "cohere",
    "cohere2",
    "mixtral",
    "qwen2_moe",
    "qwen3_moe",
    "gpt_oss",
]


def defaults(model_type: str) -> dict[str, object]:
    """A class's defaults, by the key of ``config.json``."""
    plain = {}
    for field in dataclasses.fields(CONFIG_MAPPING[model_type]):
        if isinstance(field.default, (int, float, str)) and field.name != "model_type":
            plain[field.name] = field.default
    return plain


def main() -> int:
    """Compares, or writes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--write", action="store_true", help="store what transformers says")
    found = {name: defaults(name) for name in CLASSES}
    if not parser.parse_args().write:
        return int(json.loads(STORED.read_text())["classes"] != found)
    provenance = {
        "by": "tests/lanes/config_silence.py",
        "date": dt.datetime.now(tz=dt.UTC).date().isoformat(),
        "transformers": transformers.__version__,
        "holds": "of each class: the defaults of its config that are numbers, flags or words",
    }
    lines = ",\n".join(f" {json.dumps(name)}: {json.dumps(each)}" for name, each in found.items())
    STORED.write_text(f'{{"provenance": {json.dumps(provenance, indent=1)},\n"classes": {{\n{lines}\n}}}}\n')
    return 0


if __name__ == "__main__":
    sys.exit(main())
