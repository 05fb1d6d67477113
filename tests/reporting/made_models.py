"""Models for the tests of reports: with hostile names, and with many tensors; a policy of six rules."""

from collections.abc import Iterable
from pathlib import Path

import numpy as np

from fourcc.encoding import encode
from tests.cli.making import write_safetensors
from tests.container.build import write_model

HOSTILE = (
    "<script>window.struck = 1</script>",
    "</script><script>window.struck = 1</script>",
    "</noscript><img src=x onerror='window.struck = 1'>",
    "<!--panel--><b>",
    "layers.0.\"onmouseover='window.struck=1' x=\".w",
    "layers.0.' autofocus onfocus=window.struck=1 '.w",
    "layers.1.{{ 7 * 7 }}{% raw %}.w",
    "a\u202egnp.\u2066exe\u2069",
    "a\x1b[2J\x07\r\n\tb",
    "\u2028\u2029\ufeff\u200b",
    "javascript:window.struck=1",
    "&lt;b&gt;&#x27;",
    "layers.2." + "x" * 10_000 + ".w",
    "\U0001f600 " + "é" * 50,
)

POLICY = """
version = 1

[[rule]] # norms are small and sensitive
role = "norm"
tag = "F32"

[[rule]] # the embedding is the classifier, too
role = "embedding"
tag = "Q8_B"

[[rule]] # the first and the last layer keep more
layers = "0, -1"
role = "attention.*"
tag = "Q8_A"

[[rule]]
role = "attention.*"
tag = "Q8_0"

# rows of 176 are no multiple of 32: the fallback takes them
[[rule]]
role = "ffn.down"
tag = "Q4_0"
fallback = ["Q8_B"]

[[rule]]
role = "ffn.*"
tag = "Q4_A"
encoder = { method = "kmeans" }

[expect]
bits = "<= 10"
"""


def hostile_model(path: Path) -> Path:
    """A safetensors file whose names try to act as markup, as code, on a terminal, or by their length."""
    return write_safetensors(path, {name: np.full((2, 4), place, np.float32) for place, name in enumerate(HOSTILE)})


def many_tensors(path: Path, count: int, tag: str = "Q8_0") -> Path:
    """A model.bin of `count` small matrices in layers of eight kinds."""
    q = encode(np.random.default_rng(0).normal(0, 0.1, (64, 64)).astype(np.float32), tag)
    return write_model(path, dict.fromkeys(names(count), q))


def names(count: int) -> Iterable[str]:
    """Names of matrices, layer after layer."""
    kinds = [*(f"attention.w{letter}" for letter in "qkvo"), *(f"feed_forward.w{number}" for number in "123"), "other"]
    return (f"layers.{place // len(kinds)}.{kinds[place % len(kinds)]}" for place in range(count))
