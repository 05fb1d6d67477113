"""The keys of a ``config.json`` that change a model's numbers, by the class of transformers that reads it.

The facts are those of transformers 5.24, whose class for a family heeds some keys and passes over all others
(`fourcc.networks.spellings`). A key that it heeds becomes a hyper-parameter, unless it states the default. A key that
it passes over is noted, so one that was meant to count does not vanish silently.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import attrs

from fourcc.errors import listed
from fourcc.naming import split_name
from fourcc.networks.network import Network
from fourcc.networks.spelling import ABSENT, ConfigClass, Word
from fourcc.networks.spellings.common import HEAD_NORMS, MLP_BIASES, QKVO_BIASES
from fourcc.networks.spellings.silence import SILENCE
from fourcc.sources.config_json import ConfigJson
from fourcc.sources.config_rotation import heeded, rotation_of
from fourcc.sources.config_windows import window_of
from fourcc.sources.family_names import spelling_of
from fourcc.sources.source import HyperParams, storable

NORMS_FLAG = "qk_norm"  # no key of a config: whether the family has norms of q and k, where the tensors contradict it
_SHOWN = 4  # names in a note
_CAUSAL = "is_causal"  # heeded by every class: where it is false, a position attends to later ones, too
_READ = (  # elsewhere
    "tie_word_embeddings bos_token_id eos_token_id model_type architectures quantization_config is_causal"
)
# These change no number when a model is run.
_INERT = (
    "torch_dtype dtype transformers_version use_cache initializer_range attention_dropout pad_token_id sep_token_id "
    "cls_token_id _name_or_path _model_name_or_path name_or_path _commit_hash pretraining_tp output_attentions "
    "output_hidden_states return_dict use_return_dict id2label label2id num_labels problem_type is_encoder_decoder "
    "is_decoder chunk_size_feed_forward tokenizer_class task_specific_params _attn_implementation attn_implementation "
    "_attn_implementation_autoset _attn_implementation_internal _experts_implementation_internal torchscript "
    "temperature top_k top_p max_length min_length do_sample repetition_penalty num_beams unsloth_version"
)
# Tensor -> the key that says a model lacks it; where the file has the tensor all the same, the model is refused by it.
_FLAGS = {
    **dict.fromkeys(QKVO_BIASES, "attention_bias"),
    **dict.fromkeys(MLP_BIASES, "mlp_bias"),
    **dict.fromkeys(HEAD_NORMS, NORMS_FLAG),
}


def norms_note(family: object) -> str:
    """The note on a model `without_norms`, which would run, but as another model."""
    return f"a {family} has norms of q and k in each layer, and here a layer lacks them"


def without_norms(names: Iterable[str]) -> bool:
    """Whether a layer has a matrix of q or k without its norm; names are in fourcc's spelling."""
    known = set(names)
    pairs = (("attention.wq", "attention.q_norm"), ("attention.wk", "attention.k_norm"))
    return any(
        name.removesuffix(matrix) + norm not in known
        for matrix, norm in pairs
        for name in known
        if name.endswith(matrix)
    )


@attrs.frozen(eq=False)
class ClassReader:
    """Reads the config of a class of transformers.

    Attributes:
        config: the file.
        network: that the class computes.
        known: the class.
    """

    config: ConfigJson
    network: Network
    known: ConfigClass

    def hyper(self, names: Iterable[str], *, tied: bool) -> tuple[HyperParams, list[str]]:
        """The hyper-parameters that the config states, and notes.

        Args:
            names: of the model's tensors, in fourcc's spelling.
            tied: whether the output matrix is the embedding.

        Raises:
            SourceError: a key has a value that cannot be.
        """
        words = self._words()
        activation = words.pop("hidden_act", "silu")
        turned, notes = rotation_of(self.config, self.known.turning, words)
        found = {**words, **turned, **({} if self.known.turning is None else {"rope_pairing": "adjacent"})}
        found |= {"tied_embeddings": tied, **({} if activation == "silu" else {"hidden_act": activation})}
        found |= window_of(self.config, self.known.window, words)
        found |= self.known.more(self.config, found)
        asked, more = self._asked(list(names))
        return {**found, **asked}, [*notes, *more]

    # -- words

    def _words(self) -> HyperParams:
        words: HyperParams = {}
        for word in spelling_of(self.network).words_of(self.known):
            value = self._stated(word, words)
            if value is not ABSENT:
                words[word.hyper] = value  # type: ignore[assignment]  # of the word's kind
        self._refuse_heads(words)
        return words

    def _stated(self, word: Word, before: HyperParams) -> object:
        """The value of a word: the config's, or the class's where that is silent."""
        key = next((each for each in word.others if self._only(each, word)), word.hugging_face)
        said = None if key is None else self.config.fields.get(key)
        if word.nullable and key in self.config.fields and said is None:
            return ABSENT
        default = self._default(word, key, before)
        if said is None and word.kind != "count" and default is not None:
            return default
        if said is None and default is ABSENT:
            return ABSENT
        return word.read(self._checked(word, key or word.hyper, default))

    def _default(self, word: Word, key: str | None, before: HyperParams) -> object:
        """What a word says where its key is null, or absent."""
        silence = SILENCE.get(self.known.model_type, {})
        if key is not None and key in silence and key not in self.config.fields:
            return silence[key]
        return word.default(before) if callable(word.default) else word.default

    def _only(self, other: str, word: Word) -> bool:
        """Whether another key stands for a word's."""
        return self.config.fields.get(other) is not None and self.config.fields.get(str(word.hugging_face)) is None

    def _checked(self, word: Word, key: str, default: object) -> object:
        if word.kind == "count":
            return self.config.count(key, default)  # type: ignore[arg-type]  # a count's
        if word.kind == "number":
            return self.config.number(key)
        return self.config.flag(key) if word.kind == "flag" else str(self.config.fields.get(key))

    def _refuse_heads(self, words: HyperParams) -> None:
        heads, kv_heads, width = (words[name] for name in ("n_heads", "n_kv_heads", "head_dim"))
        if self.known.turning is not None and int(str(width)) % 2:
            raise self.config.refusal("head_dim", width, "an even number")
        if int(str(heads)) % int(str(kv_heads)):
            raise self.config.refusal("num_key_value_heads", kv_heads, f"a divisor of the {heads} heads")

    # -- optional tensors, and keys that are not computed

    def _asked(self, names: list[str]) -> tuple[HyperParams, list[str]]:
        """Hyper-parameters that refuse the model, and notes."""
        lacking: dict[str, list[str]] = {}
        for key, name in sorted(self._lacking(names)):
            lacking.setdefault(key, []).append(name)
        hyper: HyperParams = {**dict.fromkeys(lacking, False), **self._uncomputed()}
        if not self.config.fields.get(_CAUSAL, True):  # null, too
            hyper[_CAUSAL] = False
        notes = [self._denied(key, denied) for key, denied in lacking.items()]
        normed = any(self.known.optional.get(name, "") is None for name in HEAD_NORMS)
        if normed and without_norms(names):
            hyper[NORMS_FLAG] = True
            notes.append(norms_note(self.known.model_type))
        return hyper, [*notes, *self._passed_over()]

    def _uncomputed(self) -> HyperParams:
        """Keys that the class heeds and that are not computed here, under their own names."""
        hyper: HyperParams = {}
        for key, neutral in self.known.other.items():
            value = self.config.fields.get(key)
            if value is not None and value not in neutral:
                hyper[key] = value if storable(value) else str(value)
        return hyper

    def _lacking(self, names: Iterable[str]) -> Iterator[tuple[str, str]]:
        """The tensors that are there though the config says they are not: key, and the tensor's name."""
        for name in names:
            template, _, ending = split_name(name)
            part = template.removeprefix("layers.*.") + ending
            declared = self.network.tensor(name)
            needed = declared is not None and declared.needed
            if part in _FLAGS and not needed and not self._has(part):
                yield self.known.optional.get(part) or _FLAGS[part], name

    def _has(self, part: str) -> bool:
        """Whether the class has an optional tensor, given this config."""
        if part not in self.known.optional:
            return False
        key = self.known.optional[part]
        return key is None or self.config.flag(key, default=key in self.known.switches)

    def _denied(self, key: str, names: list[str]) -> str:
        """A note on tensors that the class would not have with this config."""
        kind, stated = self.known.model_type, key in self.known.optional.values()
        why = f"the config does not say {key} true" if stated else f"a {kind} model has none such"
        return f"the file has {listed(names, _SHOWN)}, but {why}"

    def _passed_over(self) -> Iterator[str]:
        """A note on keys that the class does not heed."""
        known = self.known
        own = spelling_of(self.network).words_of(known)
        words = {key for word in own for key in (word.hugging_face, *word.others)}
        windows = () if known.window is None else known.window.heeded
        heeding = {*_READ.split(), *_INERT.split(), *words, *heeded(known.turning), *windows}
        heeding |= {*known.keys, *known.other, *known.passed, *filter(None, known.optional.values())}
        fields = self.config.fields
        strange = [key for key, value in fields.items() if key not in heeding and value not in (None, False)]
        if strange:
            over = ", ".join(sorted(strange))
            yield f"keys of the config that a {known.model_type} model does not heed are passed over: {over}"
