"""Words of other tools and slips of the pen lead to what is meant; options that belong together come together."""

import re

import pytest

from fourcc.cli.shared.suggestions import ELSEWHERE
from fourcc.plugins.registry import registry
from fourcc.policy.asked_words import likely_tags
from fourcc.policy.recipes import recipe_names
from tests.cli.every_command import LEAVES, options
from tests.cli.making import Runner

ADVISED = sorted(set(ELSEWHERE.values()))


@pytest.mark.parametrize(
    ("word", "command"),
    [
        ("list", "fourcc inspect FILE"),
        ("ls", "fourcc inspect FILE"),
        ("info", "fourcc inspect FILE"),
        ("show", "fourcc inspect FILE"),
        ("dump", "fourcc inspect FILE"),
        ("chat", "fourcc run MODEL -m chat"),
        ("perplexity", "fourcc eval MODEL --text FILE"),
        ("ppl", "fourcc eval MODEL --text FILE"),
        ("serve", "fourcc runs no server"),
        ("download", "a model of a hub by its name"),
        ("quantise", "Did you mean 'quantize'?"),
        ("imatrix", "fourcc calibrate MODEL --text FILE"),
        ("inspct", "Did you mean 'inspect'?"),
        ("perplexty", "fourcc eval MODEL --text FILE"),
        ("LIST", "fourcc inspect FILE"),
        ("qqqq", "`fourcc --help` shows the usage."),
    ],
)
def test_a_word_that_is_no_command(run: Runner, word: str, command: str) -> None:
    """One line, exit code 2; it leads to the command that is meant."""
    ended = run(word)
    assert (ended.code, ended.out, ended.err.count("\n")) == (2, "", 1)
    assert f"No such command '{word}'" in ended.err
    assert command in ended.err


@pytest.mark.parametrize("advice", ADVISED)
def test_advice_names_commands_and_options_that_there_are(advice: str) -> None:
    """Each command in backticks is one, and so is each of its options."""
    for line in re.findall(r"`fourcc ([^`]*)`", advice):
        words = line.split()
        names = [word.partition("=")[0] for word in words if word.startswith("-")]
        if not words[0].startswith("-") and words[0] != "COMMAND":
            command = LEAVES.get(tuple(words[:2])) or LEAVES[words[0],]
            assert set(names) <= options(command), line


def test_no_word_of_others_is_a_command() -> None:
    """Else its advice would never be seen."""
    assert not {words[0] for words in LEAVES} & set(ELSEWHERE)


@pytest.mark.parametrize(
    ("word", "tags"),
    [
        ("bf16", ["BF16"]),
        ("fp16", ["F16"]),
        ("float32", ["F32"]),
        ("mxfp4", ["MXF4"]),
        ("nvfp4", ["NV4T", "NVF4"]),
        ("nf4", ["NF4"]),
        ("q4_k", ["Q4_K"]),
        ("iq4_xs", ["IQ4X"]),
        ("tq2_0", ["TQ2"]),
        ("fp8", ["F8_G"]),
        ("foo", []),
    ],
)
def test_tags_that_a_word_may_mean(word: str, tags: list[str]) -> None:
    """By tag, name and id elsewhere; formats without an encoder are no answer."""
    assert likely_tags(word, registry) == tags


@pytest.mark.parametrize(("word", "bits"), [("int8", 8), ("int4", 4), ("4bit", 4), ("w8", 8)])
def test_a_kind_and_a_number_of_bits(word: str, bits: int) -> None:
    """At most four tags with an encoder, each of that many bits by its own summary."""
    tags = likely_tags(word, registry)
    assert 1 <= len(tags) <= 4
    for tag in tags:
        assert registry[tag].encode is not None
        assert f"{bits}-bit" in registry[tag].summary


@pytest.mark.parametrize(
    ("option", "value", "advice"),
    [
        ("--format", "Q4_K_M", "Q4_K_M is a mix of formats: --recipe Q4_K_M"),
        ("--format", "q5_k_s", "Q5_K_S is a mix of formats: --recipe Q5_K_S"),
        ("--format", "int8", "did you mean Q8_0 or"),
        ("--format", "bf16", "did you mean BF16?"),
        ("--format", "Q9_0", "did you mean 'Q8_0'"),
        ("--recipe", "NF4", "NF4 is a format, not a mix of several: --format NF4"),
        ("--recipe", "f16", "F16 is a format, not a mix of several: --format F16"),
        ("--recipe", "Q4_K_X", "Did you mean 'Q4_K_S'"),
    ],
)
def test_formats_and_recipes_by_other_words(run: Runner, tiny: object, option: str, value: str, advice: str) -> None:
    """Each option knows the words of the other one."""
    ended = run("convert", tiny, "--dry-run", option, value)
    assert (ended.code, ended.out) == (2, "")
    assert advice.lower() in ended.err.lower()


def test_a_recipe_is_never_only_a_tag() -> None:
    """The two kinds of names are told apart by what is registered."""
    assert recipe_names() == sorted(recipe_names())
    assert "Q4_K_M" in recipe_names()


@pytest.mark.parametrize(
    "words", [words for words, each in LEAVES.items() if "--policy" in options(each)], ids=" ".join
)
def test_policies_recipes_and_formats_come_together(words: tuple[str, ...]) -> None:
    """Whatever takes one of the three takes the others."""
    assert {"--policy", "--recipe", "--format"} <= options(LEAVES[words])


@pytest.mark.parametrize("words", LEAVES, ids=" ".join)
def test_every_command_has_the_common_options(run: Runner, words: tuple[str, ...]) -> None:
    """-q, -v and --json; an error in the words of the command is an object, too."""
    assert {"--quiet", "-q", "--verbose", "-v", "--json"} <= options(LEAVES[words])
    ended = run(*words, "--json", "--no-such-option")
    assert (ended.code, ended.document["schema"]) == (2, "fourcc.error/1")
    assert ended.document["error"]["message"].startswith("No such option: --no-such-option")


@pytest.mark.parametrize(
    "words", [words for words, each in LEAVES.items() if "source" in {p.name for p in each.params}], ids=" ".join
)
def test_a_missing_file_is_an_object_too(run: Runner, words: tuple[str, ...]) -> None:
    """Every command that reads a model says so on stdout with --json."""
    needed = [p for p in LEAVES[words].params if p.required and p.name != "source"]
    given = [word for p in needed for word in ((p.opts[0], "x") if p.param_type_name == "option" else ("x",))]
    ended = run(*words, *given, "not-there.bin", "--json")
    assert ended.code in {2, 3, 4}
    assert ended.document["error"]["exit_code"] == ended.code


def test_a_hub_s_name_is_no_file(run: Runner) -> None:
    """A name that no hub can be asked for is told as a path, too, with the exit code of any missing file."""
    ended = run("inspect", "owner-of-it/A-Model-7b")
    assert (ended.code, "No such file or directory, and no such model in huggingface_hub's cache" in ended.err) == (
        4,
        True,
    )
    assert "hub" not in run("inspect", "not-there.bin").err


def test_other_files_have_no_checksums(run: Runner, tiny: object) -> None:
    """`verify` says what a file is, not which bytes it lacks."""
    ended = run("verify", tiny)
    assert (ended.code, "only a model.bin has checksums, and this is none" in ended.err) == (3, True)


def test_a_model_bin_is_not_written_to_stdout(run: Runner, tiny: object) -> None:
    """A file named - would be a surprise."""
    ended = run("convert", tiny, "-o", "-")
    assert (ended.code, "is not written to standard output" in ended.err) == (2, True)


@pytest.mark.parametrize(
    "name", ["layers.1.attention.wq", "blk.1.attn_q.weight", "model.layers.1.self_attn.q_proj.weight"]
)
def test_a_tensor_by_its_names_elsewhere(run: Runner, model: object, name: str) -> None:
    """GGUF's and Hugging Face's names are known, too."""
    assert run("inspect", model, "--tensor", name, "--json").document["tensor"]["name"] == "layers.1.attention.wq"
