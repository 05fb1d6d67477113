"""`fourcc allocate`, and what becomes of its policy."""

import re
from pathlib import Path

import attrs
import pytest

import fourcc
from fourcc.calibration.costs import Costs
from fourcc.calibration.costs_reading import read_costs
from fourcc.calibration.model_digest import model_digest
from fourcc.sources import open_source
from tests.calibration.made_up_costs import made_up
from tests.cli.making import Runner


@pytest.fixture(scope="module")
def costs(tiny: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of made-up costs of the shipped model."""
    path = tmp_path_factory.mktemp("costs") / "model.costs"
    with open_source(tiny) as source:
        made_up(source, ("Q4_0", "Q5_0", "Q8_0", "F16", "Q4_A", "Q8_A"), model=model_digest(source)).write(path)
    return path


def test_from_costs_to_a_file(run: Runner, tiny: Path, costs: Path, tmp_path: Path) -> None:
    """The policy is linted, resolves, and makes a file that fits to the byte."""
    policy, output = tmp_path / "mixed.toml", tmp_path / "model.bin"
    ended = run("allocate", tiny, "--costs", costs, "--budget", "400kB", "-o", policy)
    assert (ended.code, ended.err) == (0, "")
    assert run("policy", "check", policy, tiny).code == 0
    assert run("convert", tiny, "-o", output, "--policy", policy, "-q").code == 0
    facts = dict(re.findall(r"^(\S+(?: \S+)*?)  +(.*)$", ended.out, re.MULTILINE))
    size = output.stat().st_size
    assert facts["budget"] == f"400kB: 400000 bytes of the file, {400_000 - size} left over"
    assert facts["policy"] == str(policy)
    assert facts["file"] == f"{size} bytes (400 kB), without a tokenizer"
    with fourcc.open(output) as model:
        tags = [str(record.tag) for record in model.index.tensors]
        assert facts["tensors"].startswith(f"{len(tags)} (")
        assert all(f"{tags.count(tag)} {tag}" in facts["tensors"] for tag in set(tags))
        assert facts["bits per weight"] == f"{model.index.bits_per_weight:.4g}"
    assert f"Predicted KL divergence: {facts['predicted KLD']}." in policy.read_text()
    table = ended.out.split("\n\n")[1].splitlines()
    assert table[0].split("  ")[0] == "mix"
    assert table[1].split()[:2] == ["allocated", str(size)]
    assert table[2].startswith("best single format: Q8_A")
    assert table[3].startswith("best recipe: ")


def test_the_same_bytes_each_time(run: Runner, process: Runner, tiny: Path, costs: Path, tmp_path: Path) -> None:
    """In another process, with other hashes of texts and another number of threads; and the same from Python."""
    arguments = ("allocate", tiny, "--costs", costs, "--budget", "6.0bpw", "-o")
    assert run(*arguments, tmp_path / "a.toml").code == 0
    env = {"PYTHONHASHSEED": "7", "FOURCC_THREADS": "1"}
    assert process(*arguments, tmp_path / "b.toml", env=env).code == 0
    mix = fourcc.allocate(tiny, costs, tmp_path / "c.toml", budget="6.0bpw")
    texts = {(tmp_path / f"{name}.toml").read_text() for name in "abc"}
    assert texts == {mix.policy.text}
    assert 'bits = "<= 6"' in mix.policy.text


def test_a_tokenizer_is_counted(run: Runner, tiny: Path, costs: Path, tmp_path: Path) -> None:
    """Given to both commands it fits; given to the conversion alone it makes the file too long, which is refused."""
    policy, output, tokenizer = tmp_path / "p.toml", tmp_path / "m.bin", tiny.with_name("tiny_tokenizer.bin")
    arguments = ("allocate", tiny, "--costs", costs, "--budget", "400kB", "--force", "-o", policy)
    convert = ("convert", tiny, "-o", output, "--policy", policy, "-z", tokenizer)
    assert run(*arguments).code == 0
    refused = run(*convert)
    assert refused.code == 2
    assert re.search(
        r"line \d: expect\.bytes: found a file of \d+ bytes, expected <= 400000 \(`fourcc policy check`", refused.err
    )
    assert ", without a tokenizer\n" not in run(*arguments, "-z", tokenizer).out
    left = run(*arguments, "-z", tokenizer, "--json").document["left_over"]
    assert run(*convert).code == 0
    assert output.stat().st_size == 400_000 - left


def test_json(run: Runner, tiny: Path, costs: Path) -> None:
    """Everything that the tables hold; the frontier if it was asked for."""
    found = run("allocate", tiny, "--costs", costs, "--budget", "400kB", "--json").document
    assert (found["schema"], found["output"], found["frontier"]) == ("fourcc.allocate/1", None, None)
    assert found["budget"] == {"text": "400kB", "unit": "bytes", "bytes": 400_000}
    assert found["file_bytes"] + found["left_over"] == 400_000
    units = found["units"]
    assert sum(unit["kld"] for unit in units) == pytest.approx(found["kld"])
    assert sum(unit["bytes"] for unit in units) + 9 * 384 == found["bytes"]
    assert found["formats"]["F32"] == 9
    assert sum(found["formats"].values()) == len(units) + 9
    assert found["uniform"]["name"] == "Q8_A"
    for rival in (found["uniform"], found["recipe"]):
        assert rival["kld"] >= found["kld"]
        assert rival["file_bytes"] <= 400_000
    assert found["tokens_per_second"] > 0


def test_the_frontier(run: Runner, tiny: Path, costs: Path, tmp_path: Path) -> None:
    """A picture, and a table: each named mix beside the frontier at its bytes."""
    picture = tmp_path / "f.svg"
    arguments = ("allocate", tiny, "--costs", costs, "--budget", "400kB", "--frontier", picture)
    ended = run(*arguments)
    assert ended.code == 0
    assert "<svg" in picture.read_text()
    assert run(*arguments).code == 2  # it exists
    found = run(*arguments, "--force", "--json").document["frontier"]
    assert [point["bytes"] for point in found["points"]] == sorted({point["bytes"] for point in found["points"]})
    assert {each["kind"] for each in found["named"]} == {"uniform", "recipe"}
    rows = [line.split() for line in ended.out.split("\n\n")[3].splitlines()]
    assert rows[0] == ["mix", "tensor", "bytes", "bits/weight", "predicted", "KLD", "of", "best", "mix", "ratio"]
    sizes = [int(row[2] if row[0] in ("recipe", "best") else row[1]) for row in rows[1:]]
    assert sizes == sorted(sizes)
    points = {point["bytes"]: point["kld"] for point in found["points"]}
    for row in rows[1:]:
        if row[:2] == ["best", "mix"]:
            assert row[4] == f"{points[int(row[2])]:.4g}"
        else:
            *_, nbytes, _, kld, beside, ratio = row
            assert beside == f"{min(points[each] for each in points if each <= int(nbytes)):.4g}"
            assert float(ratio) == pytest.approx(float(beside) / float(kld), abs=0.006)
            assert float(ratio) <= 1


def test_pins_options_and_speed(run: Runner, tiny: Path, costs: Path) -> None:
    arguments = ("allocate", tiny, "--costs", costs, "--budget", "370kB", "--json")
    free = run(*arguments).document
    found = run(
        *arguments, "--pin", "role=embedding:Q8_0", "--pin", "layers.0.*:Q8_A", "--options", "Q4_0,Q4_A"
    ).document
    tags = {unit["name"]: unit["tag"] for unit in found["units"]}
    assert tags["tok_embeddings"] == "Q8_0"
    assert {tag for name, tag in tags.items() if name.startswith("layers.0.")} == {"Q8_A"}
    assert {tag for name, tag in tags.items() if name.startswith("layers.1.")} <= {"Q4_0", "Q4_A"}
    wanted = free["tokens_per_second"] * 1.1
    fast = run(*arguments, "--min-toks", wanted).document
    assert fast["tokens_per_second"] >= wanted
    assert fast["kld"] >= free["kld"]


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (("--budget", "4 bits"), "no budget is spelled so: found '4 bits', expected bytes such as 2.4MB"),
        (("--budget", "10kB"), "no mix is within the budget: found "),
        (("--budget", "10MB"), "the budget is above every mix: found "),
        (("--budget", "400kB", "--pin", "role=query:Q4_0"), "the pin 'role=query' selects no unit."),
        (("--budget", "400kB", "--options", "Q9_9"), "the costs have no option 'Q9_9', expected some of "),
        (("--budget", "400kB", "--min-toks", "1e12"), "no mix within the budget is fast enough: found "),
        (
            ("--budget", "400kB", "--min-toks", "0"),
            "bad number of tokens a second: found 0.0, expected a number above 0",
        ),
        (
            ("--budget", "400kB", "--frontier", "f.gif"),
            "no such kind of picture: found 'gif', expected png or svg or pdf",
        ),
    ],
)
def test_errors(run: Runner, tiny: Path, costs: Path, tmp_path: Path, more: tuple[str, ...], message: str) -> None:
    """Wrong arguments: exit code 2, and nothing is written."""
    ended = run("allocate", tiny, "--costs", costs, "-o", tmp_path / "p.toml", *more)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith(f"fourcc: error: {message}")
    assert not list(tmp_path.iterdir())


def test_outputs_are_not_replaced(run: Runner, tiny: Path, costs: Path, tmp_path: Path) -> None:
    """Unless that is asked for; never the costs themselves, nor one output by another."""
    policy = tmp_path / "p.toml"
    policy.write_text("old")
    arguments = ("allocate", tiny, "--costs", costs, "--budget", "400kB")
    assert run(*arguments, "-o", policy).code == 2
    assert policy.read_text() == "old"
    ended = run(*arguments, "-o", policy, "--force", "-q")
    assert (ended.code, ended.out) == (0, "")
    assert policy.read_text().startswith("# A mix for model ")
    before = costs.read_bytes()
    assert run(*arguments, "-o", costs, "--force").code == 2
    assert costs.read_bytes() == before
    both = tmp_path / "both.png"
    ended = run(*arguments, "-o", both, "--frontier", tmp_path / "." / "both.png")
    assert (ended.code, "the policy and the picture have one name" in ended.err) == (2, True)
    assert not both.exists()


def test_costs_of_another_model(run: Runner, tiny: Path, costs: Path, tmp_path: Path) -> None:
    """Both digests are named."""
    known: Costs = read_costs(costs)
    other = tmp_path / "other.costs"
    attrs.evolve(known, model="f" * 32).write(other)
    ended = run("allocate", tiny, "--costs", other, "--budget", "400kB")
    assert ended.code == 2
    assert ended.err == (
        f"fourcc: error: {other}: these are the costs of another model than {tiny}: found {'f' * 32}, "
        f"expected {known.model}. Measure the model that is converted: `fourcc measure`.\n"
    )


def test_costs_without_seconds(run: Runner, tiny: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.costs"
    with open_source(tiny) as source:
        made_up(source, ("Q4_A", "Q8_A"), model=model_digest(source), seconds=False).write(path)
    ended = run("allocate", tiny, "--costs", path, "--budget", "400kB", "--min-toks", "10")
    assert ended.code == 2
    assert (
        "the costs do not say how long products with 'tok_embeddings' take. Measure again with --seconds." in ended.err
    )
    assert run("allocate", tiny, "--costs", path, "--budget", "400kB", "--json").document["tokens_per_second"] is None


def test_edited_bytes_and_damage_are_refused(run: Runner, tiny: Path, costs: Path, tmp_path: Path) -> None:
    """Both that do not follow from the shapes, and sums that would overflow."""
    edited, text = tmp_path / "edited.costs", costs.read_text()
    for old, new, says in (
        (r'"nbytes": \d+', '"nbytes": 10', "the costs do not fit the model: found 10 bytes for "),
        (r"\[384, 96\]", "[96, 384]", "the costs do not fit the model: found ((96, 384),), expected ((384, 96),)"),
        (r'"kld": [0-9.e-]+', '"kld": 1e308', "found 1e+308, expected a number from 0 on, at most 1e+300"),
    ):
        edited.write_text(re.sub(old, new, text, count=1))
        assert edited.read_text() != text
        ended = run("allocate", tiny, "--costs", edited, "--budget", "400kB")
        assert (ended.code, says in ended.err) == (3, True), ended.err
    edited.write_text(text.replace('"tag": "F16"', '"tag": "Gone"'))
    assert run("allocate", tiny, "--costs", edited, "--budget", "380kB", "--options", "Q4_A,Q8_A").code == 0
