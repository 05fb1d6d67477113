"""Ten tasks from the README alone: its commands are run as they stand, and each does what it is for.

They run in a folder with ``example/`` and ``my-model/``, the shipped model as transformers saves it.
"""

import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import attrs
import pytest

import fourcc
from fourcc.cli.app import main
from fourcc.container.reader import ModelFile
from tests.pages.surroundings import environment, made_example
from tests.tasks import saved_folder
from tests.tasks.tasks import tasks

Done = subprocess.CompletedProcess[str]
STORY = ", there was a"


@attrs.frozen
class Tried:
    """The folder after all tasks, and how their commands ended.

    Attributes:
        folder: where they ran.
        env: the environment that they ran in.
        ended: of each task, its commands.
    """

    folder: Path
    env: dict[str, str]
    ended: dict[str, list[Done]]

    def run(self, command: str, told: str = "") -> Done:
        """Runs a command, with a text at its standard input."""
        return subprocess.run(
            ["bash", "-c", command],
            cwd=self.folder,
            env=self.env,
            input=told,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )


@pytest.fixture(scope="module")
def tried(tmp_path_factory: pytest.TempPathFactory) -> Tried:
    """All tasks, done in the order of the table; what a talk is told comes from a pipe."""
    scratch = tmp_path_factory.mktemp("tasks")
    (scratch / "work").mkdir()
    shutil.move(made_example(scratch), scratch / "work")
    saved_folder.save(scratch / "work" / "my-model")
    found = Tried(scratch / "work", environment(scratch / "environment"), {})
    for want, commands in tasks().items():
        found.ended[want] = [found.run(command, told="Once upon a time\n") for command in commands]
    return found


def test_there_are_ten() -> None:
    """Each of one or two commands."""
    assert len(tasks()) == 10
    assert all(1 <= len(commands) <= 2 for commands in tasks().values())


@pytest.mark.parametrize("want", tasks())
def test_commands_and_options_are_there(capsys: pytest.CaptureFixture[str], want: str) -> None:
    """On the help page of each command."""
    commands = [part for command in tasks()[want] for part in command.split(" && ") if part.startswith("fourcc")]
    for words in map(shlex.split, commands):
        name = words[1:3] if words[1] == "plugin" else words[1:2]
        assert main([*name, "--help"]) == 0
        page = capsys.readouterr().out
        assert all(word in page for word in words if word.startswith("-")), words


@pytest.mark.thorough
@pytest.mark.parametrize("want", tasks())
def test_each_ends_well(tried: Tried, want: str) -> None:
    """`diff` tells by its exit code that there are differences."""
    for done in tried.ended[want]:
        assert done.returncode == ("fourcc diff" in done.args[-1]), done.stderr


@pytest.mark.thorough
def test_a_folder_is_converted(tried: Tried) -> None:
    """All of its tensors, with its tokenizer, in the formats that were asked for."""
    with fourcc.open(tried.folder / "model.bin") as model:
        assert len(model) == 38
        assert {str(tensor.tag) for tensor in model.values()} == {"Q8_0", "F16", "F32"}
    with ModelFile(tried.folder / "model.bin") as file:
        assert file.blob("tokenizer.json") == (tried.folder / "my-model" / "tokenizer.json").read_bytes()


@pytest.mark.thorough
def test_it_is_smaller_than_was_asked_for(tried: Tried) -> None:
    """And uses the room: by more than nine tenths."""
    asked = 240_000
    assert "--size 240kB" in tasks()["get below a size"][0]
    assert 0.9 * asked < (tried.folder / "fits.bin").stat().st_size <= asked


@pytest.mark.thorough
def test_what_loses_most_stands_first(tried: Tried) -> None:
    """The embedding, then the last down-projection, as the shipped policy says."""
    lines = tried.ended["see what loses most"][0].stdout.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("unit "))
    assert lines[start + 1].startswith("tok_embeddings")
    assert lines[start + 2].startswith("layers.3.feed_forward.w2")


@pytest.mark.thorough
def test_the_mix_is_that_of_the_policy(tried: Tried) -> None:
    """The policy lies in the file, and its formats are used."""
    with ModelFile(tried.folder / "by-hand.bin") as file:
        assert file.blob("policy.toml") == (tried.folder / "example" / "mixed.toml").read_bytes()
    with fourcc.open(tried.folder / "by-hand.bin") as model:
        assert {str(tensor.tag) for tensor in model.values()} == {"F32", "Q8_0", "Q8_B", "IQ4N", "NF4"}


@pytest.mark.thorough
def test_it_answers(tried: Tried) -> None:
    """In the words of its stories; another answer each time."""
    answer = set(re.findall("[a-z]+", tried.ended["chat"][0].stdout))
    known = set(re.findall("[a-z]+", (tried.folder / "example" / "heldout.txt").read_text(encoding="utf-8")))
    assert len(answer) > 5
    assert len(answer & known) > 0.8 * len(answer)


@pytest.mark.thorough
def test_two_files_are_compared(tried: Tried) -> None:
    """`diff` counts tensors: norms and the embedding are stored alike. `eval` shows that more bits lose less."""
    difference, evaluation = tried.ended["compare two files"]
    assert difference.stdout.splitlines()[-1] == "28 tensors differ, 10 are identical"
    asked = tasks()["compare two files"][1] + " --json --tokens 2000"
    plain, mixed = (each["kl_divergence"]["mean"] for each in json.loads(tried.run(asked).stdout)["models"])
    assert 0 < plain < mixed < 0.01
    assert all(name in evaluation.stdout for name in ("model.bin", "by-hand.bin", "KLD"))


@pytest.mark.thorough
def test_the_new_format_is_used(tried: Tried) -> None:
    """By every matrix of the file; the package is installed in that environment only."""
    listed = json.loads(tried.run("fourcc inspect tern.bin --json").stdout)
    tags = [tensor["tag"] for tensor in listed["tensors"]]
    assert tags.count("Tern") == 29
    assert "Tern" not in fourcc.registry


@pytest.mark.thorough
def test_damage_is_found(tried: Tried) -> None:
    """The file is whole; one flipped bit is named."""
    assert "no damage" in tried.ended["check a file"][0].stdout
    data = bytearray((tried.folder / "model.bin").read_bytes())
    data[len(data) // 2] ^= 1
    (tried.folder / "damaged.bin").write_bytes(data)
    done = tried.run(tasks()["check a file"][0].replace("model.bin", "damaged.bin"))
    assert done.returncode == 1
    assert "1 damaged place" in done.stdout


@pytest.mark.thorough
def test_llama_cpp_gets_a_whole_model(tried: Tried) -> None:
    """The GGUF file writes the same text, with a vocabulary of its own."""
    told = '-t 0 -n 40 -q -i "Once upon a time"'
    ours, theirs = (tried.run(f"fourcc run model.{kind} {told}").stdout for kind in ("bin", "gguf"))
    assert ours == theirs
    assert STORY in ours


@pytest.mark.thorough
def test_the_report_is_one_page_of_this_model(tried: Tried) -> None:
    """It names every tensor, and takes nothing from a network."""
    page = (tried.folder / "report.html").read_text(encoding="utf-8")
    assert "layers.3.feed_forward.w2" in page
    assert 'src="http' not in page
    assert 'href="http' not in page
