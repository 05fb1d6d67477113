"""`fourcc formats`."""

import json
from collections.abc import Callable

import pytest

from fourcc.bench.format_figures import StoredFigures, stored_figures
from fourcc.plugins.registry import Registry, registry
from fourcc.tags import as_tag
from tests.cli.making import Runner

Plugin = Callable[..., dict[str, str]]

GOOD = """
from fourcc import Format, Setting, per_weight
FORMAT = Format(
    tag="Half", name="half", summary="whole numbers, halved", block=1,
    parts=(per_weight("q", "|i1"),),
    params=(Setting("group", 32, "weights with one scale", low=1, high=64),),
    needs=frozenset({"importance"}), foreign={"ggml": 99},
    decode=lambda parts, geom: parts["q"].astype("<f4") / 2,
)
"""
NOISY = "print('noise')\nraise SystemExit('not today')"


def test_lists_every_format(run: Runner) -> None:
    """One line each: tag, bits per weight, block, what it can do, who provides it."""
    ended = run("formats")
    assert (ended.code, ended.err) == (0, "")
    head, *lines = ended.out.splitlines()
    assert head.split() == ["tag", "bits/weight", "block", "can", "products", "needs", "provided", "by", "summary"]
    assert {str(tag) for tag in registry} <= {line.split()[0] for line in lines if line}
    q8_0 = next(line for line in lines if line.startswith("Q8_0 "))
    assert q8_0.split()[1:5] == ["8.5", "1", "x", "32"]
    assert "decode, encode" in q8_0
    assert "native" in q8_0.split()
    assert "integers" in next(line for line in lines if line.startswith("I64 "))


def test_advice(run: Runner) -> None:
    """For each size the least loss, the least that llama.cpp runs, and the fastest, from the stored figures."""
    out = run("formats").out
    table = out.partition("\nWhich one do I take?\n")[2].partition("\n\n")[0].splitlines()
    assert table[0].split() == ["about", "least", "loss", "in", "llama.cpp", "fastest"]
    figures = stored_figures().formats
    for line in table[1:]:
        size, words, *tried = line.split()
        assert words == "bits"
        near = {tag: each for tag, each in figures.items() if int(registry[as_tag(tag)].bits_per_weight()) == int(size)}
        ggml = {tag: each for tag, each in near.items() if "ggml" in registry[as_tag(tag)].foreign}
        assert tried[0] == min(near, key=lambda tag: near[tag].divergence)
        assert tried[3] == min(ggml, key=lambda tag: ggml[tag].divergence)
        assert near[tried[6]].gb_s is not None
    assert "the smallest KL divergence from the original, in nats a token, of a Llama" in out
    assert "timed on" in out


def test_advice_needs_figures(run: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without any there is none."""
    monkeypatch.setattr("fourcc.bench.format_figures.stored_figures", lambda: StoredFigures("", "", {}))
    assert "Which one" not in run("formats").out


def test_json(run: Runner) -> None:
    """The object has the schema's keys."""
    document = run("formats", "--json").document
    assert set(document) == {"schema", "formats", "broken"}
    assert document["schema"] == "fourcc.formats/2"
    q4_a = next(each for each in document["formats"] if each["tag"] == "Q4_A")
    assert (q4_a["bits_per_weight"], q4_a["block"], q4_a["encode"]) == (6, [1, 256], True)
    assert q4_a["options"][0]["name"] == "method"
    assert q4_a["options"][0]["choices"] == ["kmeans", "equal-count"]
    assert "target" in q4_a


def test_one_format(run: Runner) -> None:
    """The output has summary, parts, settings with ranges and defaults, and foreign ids."""
    text = run("formats", "Q4_A").out
    assert "bits per weight  6\n" in text
    assert "part bins: <f4 x 16, for each block\n" in text
    assert "method   encoder  kmeans   kmeans, equal-count  bins of least squared error" in text
    assert "ids elsewhere    qmatrix q4_a" in text
    assert "ids elsewhere    numpy <f4, safetensors F32, ggml 0" in run("formats", "F32").out
    assert run("formats", "F32", "--json").document["schema"] == "fourcc.format/2"


def test_a_plugin_is_listed(process: Runner, plugin: Plugin) -> None:
    """Third parties' formats come after fourcc's own."""
    env = plugin("fourcc-half", "Half", GOOD)
    lines = process("formats", env=env).out.splitlines()
    half = next(line for line in lines if line.startswith("Half "))
    assert half.split()[5:9] == ["decode", "decode", "importance", "fourcc-half"]
    shown = process("formats", "Half", env=env).out
    assert "group    param  32       1 to 64  weights with one scale" in shown
    assert "provided by      fourcc-half 1.0 (fourcc_half:FORMAT)" in shown


def test_a_broken_plugin_breaks_nothing(process: Runner, plugin: Plugin) -> None:
    """It is listed with its reason; what it prints stays out of stdout; only when it is asked for, exit code 5."""
    env = plugin("fourcc-noisy", "Nois", NOISY)
    ended = process("formats", "--json", env=env)
    assert ended.code == 0
    assert json.loads(ended.out)["broken"] == [
        {"name": "Nois", "kind": "format", "owner": "fourcc-noisy 1.0", "reason": "SystemExit: not today"}
    ]
    text = process("formats", "--broken", env=env).out
    assert text.splitlines()[-1].split() == ["Nois", "format", "fourcc-noisy", "1.0", "SystemExit:", "not", "today"]
    ended = process("formats", "Nois", env=env)
    assert (ended.code, ended.out) == (5, "")
    assert (
        "the format Nois of fourcc-noisy 1.0 (fourcc_noisy:FORMAT) cannot be used: SystemExit: not today" in ended.err
    )


def test_a_declaration_that_cannot_be_computed_breaks_nothing(process: Runner, plugin: Plugin) -> None:
    """A part's shape is the plugin's own function."""
    parts = 'parts=(fourcc.Part("q", "|i1", tail=lambda geom: (geom.cols / 0,)),)'
    env = plugin("fourcc-odd", "Half", "import fourcc" + GOOD.replace('parts=(per_weight("q", "|i1"),)', parts))
    ended = process("formats", "--json", env=env)
    assert ended.code == 0
    assert [each["reason"] for each in ended.document["broken"]] == ["ZeroDivisionError: division by zero"]


@pytest.mark.thorough
@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("import time\ntime.sleep(600)", "it did not end within 2 seconds"),
        ("import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)", "it was killed by SIGSEGV"),
        ("import os\nos._exit(7)", "it ended with exit code 7"),
        ("raise KeyboardInterrupt", "it was killed by SIGINT; KeyboardInterrupt"),
    ],
    ids=["hangs", "crashes", "ends", "interrupts"],
)
def test_an_import_that_would_end_the_listing(
    run: Runner, plugin: Plugin, monkeypatch: pytest.MonkeyPatch, code: str, reason: str
) -> None:
    """It happens in a process of its own, for which the listing waits a while; the formats are all there."""
    builtin = set(map(str, registry))
    folder = plugin("fourcc-bad", "Half", code)["PYTHONPATH"]
    monkeypatch.setattr("fourcc.plugins.apart.LIMIT", 2.0)
    monkeypatch.setattr("fourcc.plugins.registry.registry", Registry())
    monkeypatch.syspath_prepend(folder)
    ended = run("formats", "--json")
    assert (ended.code, ended.err) == (0, "")
    assert builtin == {each["tag"] for each in ended.document["formats"]}
    (broken,) = ended.document["broken"]
    assert (broken["name"], broken["owner"]) == ("Half", "fourcc-bad 1.0")
    assert broken["reason"].startswith(f"imported in a process of its own, {reason}")
    asked = run("formats", "Half")
    assert asked.code == 5
    assert f"(fourcc_bad:FORMAT) cannot be used: imported in a process of its own, {reason}" in asked.err


@pytest.mark.parametrize(("level", "weight"), [("fused", "q[0] / 2"), ("decode", "q[0] / 2 if q[0] > 1 else 0")])
def test_products_are_what_they_are(process: Runner, plugin: Plugin, level: str, weight: str) -> None:
    """In the list and in depth: a block decoder that asks which value a weight has cannot be fused."""
    code = f"def block(q, weights, group):\n    weights[0] = {weight}\n\n"
    code += GOOD.replace("    decode=", "    decode_block=block, decode=")
    env = plugin("fourcc-half", "Half", code)
    listed = process("formats", "--json", env=env).document["formats"]
    assert next(each for each in listed if each["tag"] == "Half")["products"] == level
    assert f"products         {level}: " in process("formats", "Half", env=env).out


def test_two_packages_with_one_tag(process: Runner, plugin: Plugin) -> None:
    """Neither format is used; the error names both packages, with exit code 5."""
    plugin("fourcc-half", "Half", GOOD)
    env = plugin("fourcc-other", "Half", GOOD)
    ended = process("formats", "--json", env=env)
    (broken,) = ended.document["broken"]
    assert (broken["name"], broken["owner"]) == ("Half", "several packages")
    assert "fourcc-half 1.0" in broken["reason"]
    assert "fourcc-other 1.0" in broken["reason"]
    assert process("formats", "Half", env=env).code == 5


@pytest.mark.parametrize(("group", "upgrade"), [("fourcc.formats", "fourcc-old"), ("fourcc.formats.2", "fourcc")])
def test_another_version_of_the_seam(process: Runner, plugin: Plugin, group: str, upgrade: str) -> None:
    """It is listed, without being imported, and wherever its tag is asked for; each says what to upgrade."""
    env = plugin("fourcc-old", "Half", "import os\nos._exit(7)", group)
    for command in (("formats",), ("formats", "--broken"), ("formats", "Half"), ("plugin", "test", "Half")):
        ended = process(*command, env=env)
        said = " ".join((ended.out + ended.err).split())
        assert f"upgrade {upgrade}" in said, command
        assert "seam" in said
        assert ended.code == {"plugin": 1, "Half": 5}.get(command[-1] if command[0] == "formats" else command[0], 0)


def test_the_allow_list_shuts_plugins_out(process: Runner, plugin: Plugin) -> None:
    """FOURCC_PLUGINS: they are not imported, and the reason is told."""
    env = {**plugin("fourcc-noisy", "Nois", NOISY), "FOURCC_PLUGINS": "other"}
    listed = process("formats", env=env)
    assert "noise" not in listed.err
    assert "FOURCC_PLUGINS does not allow its distribution" in listed.out
    asked = process("formats", "Nois", env=env)
    assert asked.code == 5
    assert "FOURCC_PLUGINS does not allow its distribution" in asked.err


def test_a_missing_format(run: Runner) -> None:
    """The exit code is 5."""
    ended = run("formats", "Zzzz")
    assert ended.code == 5
    assert ended.err.startswith("fourcc: error: no installed package provides the format Zzzz. Install ")


@pytest.mark.parametrize("text", ["toolong", "4bix", "a-b", ""])
def test_no_tag(run: Runner, text: str) -> None:
    """The exit code is 2."""
    ended = run("formats", text)
    assert ended.code == 2
    assert "is not a tag: one to four of A-Z a-z 0-9 _, the first a letter. `fourcc formats` lists them." in ended.err


def test_nothing_is_broken_here(run: Runner) -> None:
    """--broken says so."""
    assert run("formats", "--broken", "--json").document["formats"] == []


def test_kinds_of_files(run: Runner) -> None:
    """Kinds to be read come first, then kinds to be written."""
    lines = run("formats", "--files").out.splitlines()
    assert lines[0].split() == ["kind", "can", "suffix", "provided", "by", "summary"]
    assert [line.split()[0] for line in lines[1:]][:2] == ["model.bin", "GGUF"]
    document = run("formats", "--files", "--json").document
    assert document["schema"] == "fourcc.files/1"
    assert document["broken"] == []
    assert {"kind": "GGUF", "can": "read", "suffix": "", "provider": "fourcc 0.1.0", "summary": ""} in document["files"]
    assert "llama2c-v2" in {each["kind"] for each in document["files"] if each["can"] == "write"}


@pytest.mark.parametrize("option", ["--files", "--broken"])
def test_lists_take_no_tag(run: Runner, option: str) -> None:
    """The exit code is 2."""
    ended = run("formats", "Q8_0", option)
    assert ended.code == 2
    assert "--files and --broken list: they take no TAG: found Q8_0" in ended.err
