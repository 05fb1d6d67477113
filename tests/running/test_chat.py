"""A talk against llama2.c's chat loop, written from its rules, on a random model that ends its answers now and then."""

from itertools import islice

import numpy as np
import pytest
from numpy.typing import NDArray

from fourcc.encoding import encode
from fourcc.errors import UsageError
from fourcc.models.architecture import Architecture
from fourcc.models.chat import Conversation
from fourcc.models.jinja.renderer import Renderer
from fourcc.models.jinja.template import JinjaTemplate
from fourcc.models.sampling import Sampler
from fourcc.models.templates import TEMPLATES
from fourcc.models.tokenizers.llama2c import BOS, EOS, Llama2cTokenizer
from fourcc.models.transformer import Transformer
from fourcc.qmatrix import QMatrix

VOCAB = 300
SIZES = {"dim": 32, "hidden_dim": 48, "n_layers": 1, "n_heads": 4, "n_kv_heads": 2, "head_dim": 8, "vocab_size": VOCAB}
HYPER = {**SIZES, "seq_len": 320, "norm_eps": 1e-5, "rope_theta": 10000.0}
MESSAGES = ["Hello", "And then?", "  why  ", "é"]


@pytest.fixture(scope="module")
def weights() -> dict[str, QMatrix]:
    """Weights of one layer; the token that ends an answer is likelier than any other."""
    a, rng = Architecture.of("llama", HYPER), np.random.default_rng(3)
    shapes = {"attention.wq": (32, 32), "attention.wk": (16, 32), "attention.wv": (16, 32), "attention.wo": (32, 32)}
    shapes |= {"feed_forward.w1": (48, 32), "feed_forward.w3": (48, 32), "feed_forward.w2": (32, 48)}
    found = {f"layers.0.{name}": rng.standard_normal(shape) / 6 for name, shape in shapes.items()}
    found |= {name: np.ones(a.dim) for name in ("norm", "layers.0.attention_norm", "layers.0.ffn_norm")}
    found |= {name: rng.standard_normal((VOCAB, a.dim)) for name in ("tok_embeddings", "output")}
    found["output"][EOS] *= 1.6
    return {name: encode(each.astype(np.float32), "F32", name=name) for name, each in found.items()}


@pytest.fixture
def network(weights: dict[str, QMatrix]) -> Transformer:
    """A network that has seen no token."""
    return network_of(weights)


def network_of(weights: dict[str, QMatrix]) -> Transformer:
    """Another one of the same weights."""
    return Transformer(Architecture.of("llama", HYPER), weights.get, threads=1)


@pytest.fixture(scope="module")
def tokenizer() -> Llama2cTokenizer:
    """Bytes, and a few letters."""
    pieces = [b"<unk>", b"<s>", b"</s>", *(b"<0x%02X>" % byte for byte in range(256))]
    pieces += [bytes([byte]) for byte in range(32, 32 + VOCAB - len(pieces))]
    return Llama2cTokenizer(tuple(pieces), (0.0,) * VOCAB)


def slow_talk(  # the loop of llama2.c, one position after the other
    network: Transformer, tokenizer: Llama2cTokenizer, sampler: Sampler, system: str, messages: list[str], steps: int
) -> list[list[int]]:
    """The tokens of each answer."""
    answers: list[list[int]] = []
    left, turn, given, used, following = list(messages), True, list[int](), 0, -1
    position = 0
    while position < steps:
        if turn:
            if not left:
                break
            user = left.pop(0)
            text = f"[INST] {user} [/INST]"
            if position == 0 and system:
                text = f"[INST] <<SYS>>\n{system}\n<</SYS>>\n\n{user} [/INST]"
            given, used, turn = tokenizer.encode(text), 0, False
            answers.append([])
        token = given[used] if used < len(given) else following
        used += used < len(given)
        turn = token == EOS
        following = sampler.sample(network.forward([token])[0])
        position += 1
        if used >= len(given) and following != EOS and not turn:
            answers[-1].append(following)
    return answers


@pytest.mark.parametrize("temperature", [0.0, 0.7, 1.0])
@pytest.mark.parametrize("system", ["", "Be brief."])
@pytest.mark.parametrize("seed", [1, 2, 3, 42])
def test_a_seed_gives_llama2c_s_answers(
    network: Transformer, tokenizer: Llama2cTokenizer, temperature: float, system: str, seed: int
) -> None:
    """All of them, as far as the context goes."""
    samplers = [Sampler.from_flags(VOCAB, temperature, 0.9, seed) for _ in range(2)]
    expected = slow_talk(network, tokenizer, samplers[0], system, MESSAGES, network.context)
    network.reset()
    talk = Conversation(network, tokenizer, TEMPLATES["llama2"], samplers[1], system)
    found = []
    for message in MESSAGES:
        if talk.over:
            break
        pieces = list(talk.say(message))
        assert (pieces[0].text, pieces[0].prompt) == (message, True)
        found.append([token for piece in pieces[1:] for token in piece.tokens])
    assert found == expected


def test_some_answers_end_by_themselves(network: Transformer, tokenizer: Llama2cTokenizer) -> None:
    """Some answers end before the context does; otherwise the comparison above would prove little."""
    talk = Conversation(network, tokenizer, TEMPLATES["llama2"], Sampler.from_flags(VOCAB, 1.0, 0.9, 1))
    talk.answer("Hello")
    assert talk.speed.ended == "stop"
    assert not talk.over


def test_an_answer_that_is_left_counts_as_ended(network: Transformer, tokenizer: Llama2cTokenizer) -> None:
    """The next message is read behind its end, as after any other."""
    talk = Conversation(network, tokenizer, TEMPLATES["llama2"], Sampler.from_flags(VOCAB, 0.0, 0.9, 1))
    pieces = talk.say("Hello")
    next(pieces)
    next(pieces)
    pieces.close()  # type: ignore[attr-defined]
    again = next(iter(talk.say("Hi")))
    assert again.tokens[:2] == (EOS, BOS)


def test_a_message_that_does_not_fit_is_refused(network: Transformer, tokenizer: Llama2cTokenizer) -> None:
    """No token of it is read."""
    talk = Conversation(network, tokenizer, TEMPLATES["llama2"], Sampler.from_flags(VOCAB, 0.0, 0.9, 1))
    with pytest.raises(UsageError, match=r"the message does not fit: found \d+ tokens, expected at most 320"):
        talk.answer("x" * 400)
    assert network.position == 0


def test_the_end_of_the_context_is_told(weights: dict[str, QMatrix], tokenizer: Llama2cTokenizer) -> None:
    """A talk has as many tokens as the context holds, and one that is not read, as in llama2.c."""
    small = Transformer(Architecture.of("llama", HYPER), weights.get, context=24, threads=1)
    talk = Conversation(small, tokenizer, TEMPLATES["llama2"], Sampler.from_flags(VOCAB, 5.0, 1.0, 5))
    tokens = [token for piece in talk.say("Hi") if not piece.prompt for token in piece.tokens]
    assert talk.over
    assert len(tokens) == 24 - len(tokenizer.encode("[INST] Hi [/INST]")) + 1


def test_a_template_that_writes_all_anew(weights: dict[str, QMatrix], tokenizer: Llama2cTokenizer) -> None:
    """Each answer is that of a network that reads the whole prompt at once, wherever the prompts begin to differ."""
    script = "talk of {{ messages | length }}: {% for m in messages %}{{ m.role }} {{ m.content }}</s>{% endfor %}"
    template = JinjaTemplate("own", Renderer(script))
    talk = Conversation(network_of(weights), tokenizer, template, Sampler.from_flags(VOCAB, 0.0, 0.9, 1))
    for message in ("Hello", "And?"):
        pieces = talk.say(message)
        prompt, *answer = (piece.tokens for piece in islice(pieces, 12))
        pieces.close()  # type: ignore[attr-defined]
        said, talk.messages = talk.messages, talk.messages[:-1]
        whole, fresh, again = template.prompt(tokenizer, talk), network_of(weights), list[tuple[int, ...]]()
        talk.messages = said
        assert whole[-len(prompt) :] == list(prompt)
        logits = fresh.forward(whole)
        for _ in answer:
            again.append((int(logits[0].argmax()),))
            logits = fresh.forward(again[-1])
        assert again == answer
        assert len(answer) == 11
    assert len(whole) - len(prompt) == len(" talk of ")  # the number of messages differs, and all behind it


def logits_of(*likely: int) -> NDArray[np.float32]:
    """Logits by which these tokens are as good as sure."""
    found = np.full(VOCAB, -50, np.float32)
    found[list(likely)] = 50
    return found


def test_skipping_spends_what_drawing_does() -> None:
    """At temperature 0 neither spends a random number."""
    drawing, skipping = (Sampler.from_flags(VOCAB, 1.0, 0.9, 7) for _ in range(2))
    for _ in range(5):
        drawing.sample(logits_of(3, 4))
    skipping.skip(5)
    assert [drawing.sample(logits_of(*range(20))) for _ in range(8)] == [
        skipping.sample(logits_of(*range(20))) for _ in range(8)
    ]
