"""Whatever goes wrong on the way: the right bytes or an error that says so; never a wrong file, nothing left over."""

import random
from pathlib import Path
from typing import Any

import pytest

from fourcc.errors import FourccError
from fourcc.sources.elsewhere import Transfer
from tests.hub.conftest import NAME, converted, leftovers
from tests.hub.server import Fault, LocalHub

PASSING = [
    Fault("info", "503"),
    Fault("info", "gone"),
    Fault("info", "later"),
    Fault("info", "500", times=3),
    Fault("resolve", "503", within="config.json"),
    Fault("resolve", "gone", within="config.json"),
    Fault("resolve", "later", within="tokenizer.json"),
    Fault("resolve", "drop", within="tokenizer.json", after=1),
    Fault("resolve", "corrupt", within="config.json", after=1),
    Fault("resolve", "502", within=".safetensors", times=2),
    Fault("cdn", "gone"),
    Fault("cdn", "503", times=2),
    Fault("cdn", "403"),
    Fault("cdn", "drop", times=3),
    Fault("cdn", "stall"),
    Fault("cdn", "trickle"),
    Fault("cdn", "short"),
    Fault("cdn", "elsewhere"),
    Fault("cdn", "long"),
    Fault("cdn", "liar"),
    Fault("cdn", "no_ranges", times=100),
]
DAMAGING = [Fault("cdn", "corrupt", above=300_000), Fault("cdn", "corrupt", within="00002")]
LASTING = [
    Fault("info", "401", times=99),
    Fault("info", "403", times=99),
    Fault("info", "404", times=99),
    Fault("info", "503", times=99),
    Fault("info", "nonsense", times=99),
    Fault("info", "much_later", times=99),
    Fault("resolve", "403", within=".safetensors", times=99),
    Fault("resolve", "404", within=".safetensors", times=99),
    Fault("resolve", "etag", within=".safetensors", times=99),
    Fault("resolve", "size", within=".safetensors", times=99),
    Fault("resolve", "commit", within=".safetensors", times=99),
    Fault("resolve", "nonsense", within=".safetensors", times=99),
    Fault("cdn", "corrupt", times=99, above=300_000),
    Fault("cdn", "size", times=99),
    Fault("cdn", "etag", times=99, after=3),
    Fault("cdn", "416", times=99),
    Fault("cdn", "404", times=99),
    Fault("cdn", "gone", times=99),
    Fault("cdn", "elsewhere", times=99, above=300_000),
    Fault("cdn", "short", times=99, above=1),
    Fault("cdn", "drop", times=99, above=1),
]


def named(fault: Fault) -> str:
    """A fault as the name of a case."""
    return f"{fault.at}-{fault.within.strip('.') or 'any'}-{fault.kind}-{fault.times}"


def cases(faults: list[Fault]) -> list[Any]:
    """Each fault on each way; the quick tests take half of the faults, each on one of them."""
    ways = ("stream", "download", "ranges")
    return [
        pytest.param(way, fault, id=f"{way}-{named(fault)}", marks=[pytest.mark.thorough] if (number - at) % 6 else [])
        for number, fault in enumerate(faults)
        for at, way in enumerate(ways)
    ]


def copy_of(fault: Fault) -> Fault:
    """A fault that has not happened yet."""
    return Fault(fault.at, fault.kind, fault.times, fault.within, fault.above, fault.after)


@pytest.mark.parametrize(("way", "fault"), cases(PASSING))
def test_what_passes(hub: LocalHub, sharded: Path, expected: bytes, tmp_path: Path, way: str, fault: Fault) -> None:
    """A fault that does not last is not noticed; every byte is the right one."""
    hub.add(NAME, sharded)
    hub.slow = 1.5
    hub.faults = [copy_of(fault)]
    assert converted(NAME, tmp_path / "model.bin", Transfer(way, tmp_path)) == expected
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize("fault", DAMAGING, ids=named)
@pytest.mark.parametrize("way", ["download", "ranges", "stream"])
def test_damage(hub: LocalHub, sharded: Path, expected: bytes, tmp_path: Path, way: str, fault: Fault) -> None:
    """One answer has other bytes: they are noticed, at the latest when the file is read as a whole."""
    hub.add(NAME, sharded)
    hub.faults = [copy_of(fault)]
    error = outcome(tmp_path / "model.bin", Transfer(way, tmp_path), expected)
    assert error is None or "org/model" in error
    assert error is None or way == "ranges" or (way == "stream" and fault.above < 0)
    assert leftovers(tmp_path) == []


@pytest.mark.parametrize(("way", "fault"), cases(LASTING))
def test_what_lasts(hub: LocalHub, sharded: Path, expected: bytes, tmp_path: Path, way: str, fault: Fault) -> None:
    """An error that names the model, and no output. Where the way does not meet the fault, the right bytes."""
    hub.add(NAME, sharded)
    hub.faults = [copy_of(fault)]
    error = outcome(tmp_path / "model.bin", Transfer(way, tmp_path), expected)
    assert error is None or in_our_words(error)
    assert (tmp_path / "model.bin").exists() == (error is None)
    assert leftovers(tmp_path) == []


def outcome(output: Path, transfer: Transfer, expected: bytes) -> str | None:
    """The error of a conversion; None where it gave the right bytes."""
    try:
        found = converted(NAME, output, transfer)
    except (FourccError, OSError) as error:
        return str(error)
    assert found == expected
    return None


def in_our_words(error: str) -> bool:
    """Whether an error names the model, tells no secret, and is not the one that a package of the hub's raised."""
    return "org/model" in error and "SECRET" not in error and "MetadataError" not in error


ANYWHERE = ("gone", "500", "503", "429", "later", "403", "404", "slow", "nonsense")
KINDS = {
    "info": (*ANYWHERE, "commit", "wild"),
    "resolve": (*ANYWHERE, "etag", "size", "commit", "drop", "corrupt"),
    "cdn": (
        *ANYWHERE,
        "416",
        "etag",
        "size",
        "no_ranges",
        "elsewhere",
        "short",
        "liar",
        "drop",
        "stall",
        "corrupt",
        "long",
    ),
}


@pytest.mark.thorough
@pytest.mark.parametrize("seed", range(60))
def test_several_faults_at_any_requests(
    hub: LocalHub, sharded: Path, expected: bytes, tmp_path: Path, seed: int
) -> None:
    """The right bytes, or an error that names the model; never a wrong file, never anything left over."""
    rng = random.Random(seed)
    hub.add(NAME, sharded)
    hub.slow = 1.2
    for _ in range(rng.randint(1, 5)):
        at = rng.choice(list(KINDS))
        fault = Fault(at, rng.choice(KINDS[at]), rng.choice((1, 1, 2, 9)), after=rng.choice((0, 0, 1, 3, 7)))
        hub.faults.append(fault)
    for way in ("download", "ranges", "stream"):
        error = outcome(tmp_path / f"{way}.bin", Transfer(way, tmp_path), expected)
        assert error is None or in_our_words(error)
        assert (tmp_path / f"{way}.bin").exists() == (error is None)
    assert leftovers(tmp_path) == []
