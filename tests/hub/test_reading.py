"""A model on a hub is read as a folder of this machine is: downloaded, by ranges, file after file."""

from pathlib import Path

import pytest

import fourcc
from fourcc.conversion.convert import execute
from fourcc.conversion.plan import plan
from fourcc.files.write import check_target
from fourcc.policy import Policy
from fourcc.sources import open_source
from fourcc.sources.elsewhere import RANGES, Reach
from tests.hub.server import LocalHub

NAME = "org/model"


def converted(source: str | Path, output: Path, reach: Reach) -> bytes:
    """The bytes of a model.bin made of a source."""
    with open_source(source, None, reach) as opened:
        execute(
            plan(
                opened, Policy.uniform("Q8_0,F16") if hasattr(Policy, "uniform") else Policy.chosen(format="Q8_0,F16")
            ),
            check_target(output, opened.all_files, force=True),
        )
    return output.read_bytes()


@pytest.fixture(scope="session")
def expected(sharded: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The model.bin of the folder."""
    return converted(sharded, tmp_path_factory.mktemp("expected") / "model.bin", Reach())


@pytest.mark.parametrize("way", ["download", "ranges", "stream"])
def test_the_same_bytes(hub: LocalHub, sharded: Path, expected: bytes, tmp_path: Path, way: str) -> None:
    """However the bytes come."""
    hub.add(NAME, sharded)
    assert converted(NAME, tmp_path / "model.bin", Reach(way, tmp_path)) == expected
