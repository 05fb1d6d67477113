"""llama.cpp as an engine, through llama-cpp-python; the `gguf` package writes its file, with our blocks."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from fourcc.bench.models.trial import ModelTrial, TrialOutcome, measured
from fourcc.container.reader import ModelFile
from fourcc.errors import UsageError
from fourcc.naming import GGUF, from_fourcc
from fourcc.plugins.registry import registry
from fourcc.qmatrix import QMatrix

MODULES = ("llama_cpp", "gguf")
BATCH = 512  # tokens that llama.cpp takes at once by default


def write_gguf(model: ModelFile, path: Path) -> Path:
    """Writes the same tensors as a GGUF file without a vocabulary; returns its path."""
    import gguf  # type: ignore[import-untyped, unused-ignore]  # may be missing

    writer = gguf.GGUFWriter(path, "llama")
    hyper: dict[str, Any] = dict(model.index.hyper)
    writer.add_context_length(hyper["seq_len"])
    writer.add_embedding_length(hyper["dim"])
    writer.add_block_count(hyper["n_layers"])
    writer.add_feed_forward_length(hyper["hidden_dim"])
    writer.add_head_count(hyper["n_heads"])
    writer.add_head_count_kv(hyper["n_kv_heads"])
    writer.add_layer_norm_rms_eps(hyper["norm_eps"])
    writer.add_rope_dimension_count(hyper["head_dim"])
    writer.add_vocab_size(hyper["vocab_size"])
    writer.add_tokenizer_model("no_vocab")
    for name in model:
        _add(writer, name, model[name])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _add(writer: Any, name: str, matrix: QMatrix) -> None:  # noqa: ANN401 - another package's class
    import gguf

    theirs = from_fourcc(name, GGUF)
    kind = registry[matrix.tag].foreign.get("ggml")
    if not isinstance(kind, int):
        raise UsageError(f"llama.cpp does not know the format {matrix.tag}", tensor=name)
    (stored,) = matrix.parts.values()
    if stored.dtype.names is None:
        writer.add_tensor(theirs, stored.reshape(matrix.shape))
        return
    raw = np.ascontiguousarray(stored).view(np.uint8).reshape(matrix.shape[0], -1)
    writer.add_tensor(theirs, raw, raw_dtype=gguf.GGMLQuantizationType(kind))


class LlamaCpp:
    """A context of llama.cpp that is ready to run."""

    def __init__(self, trial: ModelTrial) -> None:
        import llama_cpp  # type: ignore[import-not-found, unused-ignore]  # may be missing

        self._c: Any = llama_cpp
        self._silent = self._c.llama_log_callback(lambda _level, _text, _data: None)
        self._c.llama_log_set(self._silent, ctypes.c_void_p(0))
        self._c.llama_backend_init()
        model = self._c.llama_model_load_from_file(trial.file.encode(), self._c.llama_model_default_params())
        self._context = self._c.llama_init_from_model(model, self._params(trial)) if model else None
        if not self._context:
            raise UsageError("llama.cpp cannot load the model", file=trial.file)
        self.vocab: int = self._c.llama_vocab_n_tokens(self._c.llama_model_get_vocab(model))

    def _params(self, trial: ModelTrial) -> Any:  # noqa: ANN401 - a C structure
        params = self._c.llama_context_default_params()
        params.n_ctx = trial.prompt + trial.generated
        params.n_batch = params.n_ubatch = min(BATCH, params.n_ctx)
        params.n_threads = params.n_threads_batch = trial.threads
        params.flash_attn_type = int(trial.fused)
        params.no_perf = True
        return params

    def reset(self) -> None:
        """Forgets all tokens."""
        self._c.llama_memory_clear(self._c.llama_get_memory(self._context), True)  # noqa: FBT003 - a C function

    def read(self, tokens: Sequence[int]) -> None:
        """Runs tokens, at most a batch at once, and waits for the logits."""
        for first in range(0, len(tokens), BATCH):
            some = tokens[first : first + BATCH]
            array = (self._c.llama_token * len(some))(*some)
            if self._c.llama_decode(self._context, self._c.llama_batch_get_one(array, len(some))):
                raise UsageError("llama.cpp cannot decode")
        self._c.llama_synchronize(self._context)


def measure(trial: ModelTrial) -> TrialOutcome:
    """Runs a GGUF file."""
    return measured(trial, LlamaCpp(trial))
