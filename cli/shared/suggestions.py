"""Advice for those who type the words of other tools: which command, which format, which option is meant."""

from __future__ import annotations

import difflib

_LOOK = "`fourcc inspect FILE` shows what a file holds, `fourcc formats` lists the formats"
_TALK = "`fourcc run MODEL -m chat` talks with a model"
_WRITE = "`fourcc run MODEL --prompt TEXT` writes a text"
_MEASURE = "`fourcc eval MODEL --text FILE` measures perplexity, with --reference MODEL also KL divergence"
_SERVE = "fourcc runs no server; `fourcc run MODEL --json` gives events, one a line, to another program"
_FETCH = "every command takes a model of a hub by its name, such as `fourcc inspect hf://org/name`"
_QUANTIZE = "`fourcc quantize SRC -o x.gguf --recipe Q4_K_M` makes a smaller model"
_WEIGH = "`fourcc calibrate MODEL --text FILE -o model.calib` makes what is elsewhere an importance matrix"

# What other tools call a command -> what to do here.
ELSEWHERE = {
    **dict.fromkeys(("list", "ls", "info", "show", "dump", "view", "metadata", "print", "tensors"), _LOOK),
    **dict.fromkeys(("chat", "talk", "cli"), _TALK),
    **dict.fromkeys(("generate", "complete", "completion", "infer", "inference", "prompt"), _WRITE),
    **dict.fromkeys(("perplexity", "ppl", "kld", "evaluate", "score"), _MEASURE),
    **dict.fromkeys(("serve", "server", "api"), _SERVE),
    **dict.fromkeys(("download", "pull", "fetch", "get", "hub"), _FETCH),
    **dict.fromkeys(("quantise", "quant", "compress", "q"), _QUANTIZE),
    **dict.fromkeys(("imatrix", "importance", "calib"), _WEIGH),
    **dict.fromkeys(("merge", "concat", "unsplit"), "`fourcc join SHARD -o model.bin` makes one file of shards"),
    **dict.fromkeys(("shard", "cut"), "`fourcc split model.bin -o NAME --shard-size 1GB` makes shards of a file"),
    **dict.fromkeys(("compare", "cmp"), "`fourcc diff A B` compares two models"),
    **dict.fromkeys(("check", "validate", "checksum", "hash"), "`fourcc verify FILE` checks every byte of a model.bin"),
    **dict.fromkeys(("recipe", "recipes"), "`fourcc policy recipes` lists the recipes"),
    **dict.fromkeys(("types", "tags", "ftypes", "format", "quants"), "`fourcc formats` lists the formats"),
    **dict.fromkeys(("gguf", "safetensors", "save"), "`fourcc export MODEL -o x.gguf` writes files of other tools"),
    **dict.fromkeys(
        ("benchmark", "perf", "speed"), "`fourcc bench` measures kernels, `fourcc bench-models` whole models"
    ),
    **dict.fromkeys(("plot", "histogram"), "`fourcc stats SRC --plot FILE` draws the weights"),
    "help": "`fourcc --help` lists the commands, `fourcc COMMAND --help` explains one",
    "version": "`fourcc --version` prints the version",
}


def command_advice(word: str) -> str | None:
    """Advice for a command that there is none of; None where the word is not known elsewhere, nor like one that is.

    >>> command_advice("chat")
    '`fourcc run MODEL -m chat` talks with a model'
    """
    near = difflib.get_close_matches(word.lower(), ELSEWHERE, n=1, cutoff=0.75)
    return ELSEWHERE[near[0]] if near else None
