"""The recipes that are shipped: the mixes of llama.cpp, compared with what its own quantizer chose."""

import json
from collections.abc import Mapping
from pathlib import Path

import attrs
import pytest

from fourcc.errors import UsageError
from fourcc.format import Format
from fourcc.naming import layer, roles
from fourcc.plugins.registry import Registry, installed_entries, registry
from fourcc.policy import Policy, TensorInfo
from fourcc.policy.recipes import recipes
from fourcc.tags import as_tag

NAMES = [recipe.name for recipe in recipes()]
CASES = json.loads(Path(__file__).with_name("recipes.json").read_text())


@pytest.fixture(scope="module")
def able() -> Registry:
    """The built-in formats, each with an encoder, whether or not it has one yet: recipes name formats, not encoders."""

    def load(tag: str) -> Format:
        return attrs.evolve(registry[as_tag(tag)], encode=lambda *_: None)

    entries = [entry for entry in installed_entries() if entry.distribution == "fourcc"]
    return Registry(scan=lambda: [attrs.evolve(e, load=lambda tag=e.name: load(tag)) for e in entries])


def tensors(case: Mapping[str, int]) -> list[TensorInfo]:
    """The tensors of a Llama, all in float32."""
    dim, hidden = case["dim"], case["hidden"]
    kv = dim * case["kv_heads"] // case["heads"]
    tied = not case["output"]
    shapes: dict[str, tuple[int, ...]] = {"tok_embeddings": (64, dim), "norm": (dim,)}
    if not tied:
        shapes["output"] = (64, dim)
    for i in range(case["layers"]):
        shapes |= {f"layers.{i}.{name}": (dim,) for name in ("attention_norm", "ffn_norm")}
        shapes |= {f"layers.{i}.attention.{name}": (dim, dim) for name in ("wq", "wo")}
        shapes |= {f"layers.{i}.attention.{name}": (kv, dim) for name in ("wk", "wv")}
        shapes |= {f"layers.{i}.feed_forward.{name}": (hidden, dim) for name in ("w1", "w3")}
        shapes[f"layers.{i}.feed_forward.w2"] = (dim, hidden)
    narrow = as_tag("F32")
    return [TensorInfo(name, shape, roles(name, tied=tied), layer(name), narrow) for name, shape in shapes.items()]


def chosen(name: str, case: Mapping[str, int], formats: Registry) -> dict[str, str]:
    """The type that a recipe gives each matrix, in ggml's words."""
    decisions = Policy.recipe(name).resolve(tensors(case), formats)
    return {d.tensor.name: formats[d.tag].name for d in decisions if len(d.tensor.shape) > 1}


def spread(types: Mapping[str, object], layers: int) -> dict[str, str]:
    """The table's short form: kind of tensor -> a type, or runs of [type, layers]."""
    found: dict[str, str] = {}
    for kind, value in types.items():
        if isinstance(value, str):
            found |= {kind.replace("*", str(i)): value for i in range(layers if "*" in kind else 1)}
        else:
            assert isinstance(value, list)
            each = [kind_of for kind_of, count in value for _ in range(count)]
            assert len(each) == layers
            found |= {kind.replace("*", str(i)): one for i, one in enumerate(each)}
    return found


@pytest.mark.parametrize("case", CASES["cases"], ids=lambda case: case["id"])
def test_the_types_that_llama_cpp_chose(case: dict[str, object], able: Registry) -> None:
    """Models of 6, 12, 22, 32 and 80 layers, with shared heads, tied embeddings, and rows that do not divide."""
    differing = {}
    for name, types in case["types"].items():  # type: ignore[attr-defined]
        expected = spread(types, case["layers"])  # type: ignore[arg-type]
        found = chosen(name, case, able)  # type: ignore[arg-type]
        wrong = {key: (found[key], expected[key]) for key in expected if found[key] != expected[key]}
        assert found.keys() == expected.keys()
        if wrong:
            differing[name] = wrong
    assert not differing


# The first k-quants, from the change that brought them: base, values, feed-forward output, attention output.
FIRST = {
    "Q2_K": ("Q2_K", "Q4_K", "Q4_K", "Q4_K"),
    "Q3_K_S": ("Q3_K", "Q3_K", "Q3_K", "Q3_K"),
    "Q3_K_M": ("Q3_K", "Q4_K", "Q4_K", "Q4_K"),
    "Q3_K_L": ("Q3_K", "Q5_K", "Q5_K", "Q5_K"),
    "Q4_K_S": ("Q4_K", "Q4_K", "Q4_K", "Q4_K"),
    "Q4_K_M": ("Q4_K", "more", "more", "Q4_K"),
    "Q5_K_S": ("Q5_K", "Q5_K", "Q5_K", "Q5_K"),
    "Q5_K_M": ("Q5_K", "more", "more", "Q5_K"),
    "Q6_K": ("Q6_K", "Q6_K", "Q6_K", "Q6_K"),
}
# Layers that get more bits, counted by hand from the rule.
MORE = {
    6: {2, 5},
    12: {0, 3, 6, 9, 10, 11},
    22: {0, 1, 4, 7, 10, 13, 16, 19, 20, 21},
    32: {0, 1, 2, 3, 6, 9, 12, 15, 18, 21, 24, 27, 28, 29, 30, 31},
}


@pytest.mark.parametrize("layers", MORE)
@pytest.mark.parametrize("name", FIRST)
def test_the_first_k_quants(name: str, layers: int, able: Registry) -> None:
    """They follow the table of that change; the output always has 6 bits, a tied embedding has not."""
    base, *kinds = FIRST[name]
    case = {"layers": layers, "dim": 256, "hidden": 512, "heads": 4, "kv_heads": 4, "output": 1}
    found = chosen(f"{name}-2023", case, able)
    for i in range(layers):
        for kind, tag in zip(("attention.wv", "feed_forward.w2", "attention.wo"), kinds, strict=True):
            expected = ("Q6_K" if i in MORE[layers] else base) if tag == "more" else tag
            assert found[f"layers.{i}.{kind}"] == expected
        for kind in ("attention.wq", "attention.wk", "feed_forward.w1", "feed_forward.w3"):
            assert found[f"layers.{i}.{kind}"] == base
    assert (found["output"], found["tok_embeddings"]) == ("Q6_K", base)
    assert chosen(f"{name}-2023", {**case, "output": 0}, able)["tok_embeddings"] == base


@pytest.mark.parametrize("name", NAMES)
def test_every_recipe_fits_every_shape(name: str, able: Registry) -> None:
    """Rows of 64, 176 and 288 get a format, too."""
    for dim, hidden in ((64, 176), (288, 768)):
        case = {"layers": 3, "dim": dim, "hidden": hidden, "heads": 2, "kv_heads": 2, "output": 1}
        assert len(chosen(name, case, able)) == 2 + 7 * 3


@pytest.mark.parametrize("name", NAMES)
def test_experts_and_integers(name: str, able: Registry) -> None:
    """The tensor that chooses experts stays as it is; stacks go by their role; integers are kept."""
    shapes = {"blk.0.ffn_gate_inp.weight": (4, 256), "blk.0.ffn_up_exps.weight": (4, 512, 256)}
    narrow = as_tag("F32")
    infos = [TensorInfo(n, s, roles(n), layer(n), narrow) for n, s in shapes.items()]
    infos.append(TensorInfo("ids", (4, 256), ("other",), None, as_tag("I32"), real=False))
    gate, stack, ids = Policy.recipe(name).resolve(infos, able)
    assert (gate.keep, ids.keep) == (True, True)
    assert not stack.keep


def test_names() -> None:
    """Case does not count, the middle size is meant where none is named, and a slip is told the nearest."""
    assert Policy.recipe("q4_k_m").text == Policy.recipe("Q4_K").text == Policy.recipe("Q4_K_M").text
    assert Policy.recipe("Q6_K").text != Policy.recipe("Q4_K").text
    with pytest.raises(UsageError, match=r"there is no recipe 'Q4_K_X'. Did you mean 'Q4_K_[SM]'"):
        Policy.recipe("Q4_K_X")
    with pytest.raises(UsageError, match=r"there is no recipe 'zebra'. `fourcc policy recipes` lists them."):
        Policy.recipe("zebra")


def test_each_has_a_summary() -> None:
    """The summary is one line and does not repeat the name."""
    for recipe in recipes():
        assert recipe.summary.endswith(".")
        assert not recipe.summary.startswith(recipe.name)
    assert len(NAMES) == 26
