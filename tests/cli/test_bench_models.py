"""`fourcc bench-models`."""

import pytest

from tests.cli.making import Runner

TINY = ("--model", "tiny", "--threads", "1", "--prompt", "8", "--generate", "2", "--rounds", "1")


def test_table(run: Runner) -> None:
    """The output has facts, then a row for each model, format and number of threads."""
    ended = run("bench-models", *TINY, "--format", "Q8_0,F16", "--quiet")
    assert (ended.code, ended.err) == (0, "")
    facts, table = ended.out.split("\n\n")
    assert facts.splitlines()[-1] == "measured  8 tokens read, 2 generated"
    head, *rows = (line.split() for line in table.splitlines())
    assert head[:4] == ["model", "format", "threads", "engine"]
    assert [row[:4] for row in rows] == [["tiny", "Q8_0", "1", "fourcc"], ["tiny", "F16", "1", "fourcc"]]
    assert all(float(number) > 0 for number in rows[0][4:7])


def test_json(run: Runner) -> None:
    """The object has the schema's keys."""
    document = run("bench-models", *TINY, "--json").document
    assert document["schema"] == "fourcc.bench-models/1"
    assert set(document) == {"schema", "machine", "versions", "prompt", "generated", "busy", "results"}
    (result,) = document["results"]
    assert set(result) == {
        *("model", "tag", "threads", "engine", "rates", "peak", "file", "cache", "ratios"),
    }
    assert set(result["rates"]) == {"prompt", "generated", "fresh"}
    assert (result["model"], result["tag"], result["cache"]) == ("tiny", "Q8_0", 4 * 2 * 2 * 32 * 10)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (
            ("--model", "7B"),
            "no such model: found '7B', expected tiny, tiny-moe, tiny-gemma, 15M, 110M, 1.1B, moe, gemma",
        ),
        (("--format", "Nope"), "no installed package provides the format Nope"),
        (("--threads", "0"), "bad number of threads"),
        (("--prompt", "0"), "--prompt"),
    ],
)
def test_wrong_flags(run: Runner, arguments: tuple[str, ...], says: str) -> None:
    """Each is reported before anything is written."""
    ended = run("bench-models", *TINY, *arguments)
    assert ended.code in {2, 5}
    assert says in ended.err
