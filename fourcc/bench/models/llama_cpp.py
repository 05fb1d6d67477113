"""llama.cpp as an engine, through llama-cpp-python; its file is our own export."""

from __future__ import annotations

import ctypes
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from fourcc.bench.models.trial import ModelTrial, TrialOutcome, measured
from fourcc.errors import UsageError
from fourcc.exporters import KINDS
from fourcc.exporters.export import check_targets, execute_export, plan_export
from fourcc.sources import open_source

BATCH = 512  # tokens that llama.cpp takes at once by default


def write_gguf(model: Path, path: Path) -> Path:
    """Exports a model.bin to a GGUF file without a vocabulary, tensor by tensor as it is; returns its path."""
    with open_source(model) as source:
        planned = plan_export(source, KINDS["gguf"])
        if planned.converted:
            raise UsageError("llama.cpp does not know the format", file=model, tensor=planned.converted[0])
        execute_export(planned, check_targets(planned, path, force=True))
    return path


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
