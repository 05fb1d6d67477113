"""Values that a shell is offered while a command is typed."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.cli.every_command import LEAVES
from tests.cli.making import write_safetensors

VALUES = {  # option or argument -> beginning of a word -> some of what is offered, in a line with the model's file
    ("convert", "--format"): ("Q8_0,BF", "Q8_0,BF16"),
    ("convert", "--recipe"): ("Q4_K", "Q4_K_M"),
    ("convert", "--include"): ("layers.0.attention.w", "layers.0.attention.wq"),
    ("convert", "--pin"): ("role=", "role=embedding:"),
    ("convert", "--feedback"): ("g", "gptq"),
    ("quantize", "--to"): ("g", "gguf"),
    ("export", "--as"): ("F1", "F16"),
    ("inspect", "--tensor"): ("no", "norm"),
    ("stats", "--role"): ("ffn.", "ffn.*"),
    ("extract", "--blob"): ("tok", "tokenizer.bin"),
    ("run", "--template"): ("chat", "chatml"),
    ("measure", "--group"): ("q+k+v,g", "q+k+v,gate+up"),
    ("bench", "--simd"): ("avx2,p", "avx2,portable"),
    ("bench-models", "--model"): ("15M,1", "15M,110M"),
    ("plugin new", "--like"): ("rot", "rotation"),
    ("plugin test", "--check"): ("each", "each column"),
}
KINDS = {
    "TAG",
    "TAG[,TAG]",
    "TAG,...",
    "GLOB",
    "GLOB:TAG",
    "KIND",
    "ROLES",
    "TARGET,...",
}  # metavars with values of ours
WITHOUT = {("plugin new", "--tag")}  # a tag of a format that there is not yet


def offered(line: list[str], shell: str = "bash", **environment: str) -> list[str]:
    """The program's answer to a shell; the last word is the one that is typed."""
    given = {"_FOURCC_COMPLETE": f"complete_{shell}", **environment}
    given |= {"COMP_WORDS": "\n".join(line), "COMP_CWORD": str(len(line) - 1)}
    if shell != "bash":
        given = {"_FOURCC_COMPLETE": f"complete_{shell}", "_TYPER_COMPLETE_ARGS": " ".join(line), **environment}
    ended = subprocess.run(
        [sys.executable, "-m", "fourcc"], capture_output=True, text=True, check=False, env={**os.environ, **given}
    )
    assert ended.stderr == ""
    return ended.stdout.splitlines()


def test_every_option_with_words_of_ours_completes() -> None:
    """Each of them has a completer, by its kind of value; the table tries one of each kind."""
    lacking = [
        (" ".join(words), parameter.opts[0])
        for words, command in LEAVES.items()
        for parameter in command.params
        if parameter.metavar in KINDS and parameter._custom_shell_complete is None
    ]
    assert set(lacking) == WITHOUT
    named = {option for _, option in VALUES}
    kinds = {
        parameter.metavar
        for command in LEAVES.values()
        for parameter in command.params
        if parameter.opts[0] in named and parameter.metavar in KINDS
    }
    assert kinds >= KINDS - {"TAG"}


@pytest.mark.parametrize(("place", "typed"), VALUES.items(), ids=" ".join)
def test_values_in_this_process(
    model: Path, place: tuple[str, str], typed: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """An option's completer gives words for the beginning of a word; each begins so."""
    command, option = place
    begun, expected = typed
    monkeypatch.setenv("_FOURCC_COMPLETE", "complete_bash")
    monkeypatch.setenv("COMP_WORDS", "\n".join(["fourcc", *command.split(), str(model), option, begun]))
    monkeypatch.setenv("COMP_CWORD", str(3 + len(command.split())))
    leaf = LEAVES[tuple(command.split())]
    context = leaf.make_context(command, [str(model)], resilient_parsing=True)
    parameter = next(each for each in leaf.params if option in each.opts)
    words = [item.value for item in parameter.shell_complete(context, begun)]
    assert expected in words
    assert all(word.startswith(begun) for word in words)


def test_the_protocol_of_three_shells(model: Path) -> None:
    """The tensors of the file that stands on the line, and nothing on stderr."""
    line = ["fourcc", "inspect", str(model), "--tensor", "layers.1.attention.w"]
    names = [f"layers.1.attention.w{letter}" for letter in "qkvo"]
    assert offered(line) == names
    assert offered(line, "fish", _TYPER_COMPLETE_FISH_ACTION="get-args") == names
    zsh = "\n".join(offered(line, "zsh"))
    assert zsh.startswith("_arguments ")
    assert [each in zsh for each in names] == [True] * 4


@pytest.mark.parametrize("file", ["not-there.bin", "pyproject.toml"])
def test_a_failure_offers_nothing(root: Path, file: str) -> None:
    """Neither words nor an error, so that the shell goes on with names of files."""
    assert "".join(offered(["fourcc", "inspect", str(root / file), "--tensor", "l"])) == ""


def test_a_name_that_a_shell_would_act_on_is_not_offered(tmp_path: Path) -> None:
    """Names are a stranger's: zsh evaluates what it is offered, and a terminal heeds escapes."""
    hostile = ["w\\$(touch x)", "w`id`", "w$HOME", "w'q", 'w"q', "w\x1b[31m", "w\nw2", "w\x00", "w\u202e"]
    zeros = np.zeros((2, 2), np.float32)
    file = write_safetensors(tmp_path / "hostile.safetensors", dict.fromkeys([*hostile, "w<b>", "weight"], zeros))
    for shell, more in (("bash", {}), ("fish", {"_TYPER_COMPLETE_FISH_ACTION": "get-args"})):
        assert sorted(offered(["fourcc", "inspect", str(file), "--tensor", "w"], shell, **more)) == ["w<b>", "weight"]


def test_a_bash_that_completes(model: Path, tmp_path: Path) -> None:
    """The script that `--show-completion` prints defines a function that bash calls."""
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("there is no bash")
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "fourcc").write_text(f'#!/bin/sh\nexec "{sys.executable}" -m fourcc "$@"\n')
    (folder / "fourcc").chmod(0o755)
    script = (
        'eval "$(fourcc --show-completion bash)"; complete -p fourcc; '
        'COMP_WORDS=(fourcc extract "$1" layers.2.ffn); COMP_CWORD=3; _fourcc_completion fourcc; echo "${COMPREPLY[*]}"'
    )
    ended = subprocess.run(
        [bash, "--norc", "-c", script, "bash", str(model)],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PATH": f"{folder}:{os.environ['PATH']}"},
    )
    assert ended.stdout.splitlines() == [
        "complete -o default -F _fourcc_completion fourcc",
        "layers.2.ffn_norm",
    ]


@pytest.mark.parametrize("place", ["x", ""])
def test_a_shell_that_says_nonsense_is_answered_with_nothing(place: str) -> None:
    """A message would stand in the line that is being typed."""
    given = {"_FOURCC_COMPLETE": "complete_bash", "COMP_WORDS": "fourcc\ninspect", "COMP_CWORD": place}
    ended = subprocess.run(
        [sys.executable, "-m", "fourcc"], capture_output=True, text=True, check=False, env={**os.environ, **given}
    )
    assert (ended.stdout, ended.stderr) == ("", "")
