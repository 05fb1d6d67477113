"""The option ``--cluster``: what it takes, what it needs, and a cluster of this machine's processes."""

import subprocess
import sys
from pathlib import Path

import pytest

import fourcc
from fourcc.cli.app import main
from fourcc.cli.shared.execution_options import AskedExecution
from fourcc.cluster.connection import check_address, connected
from fourcc.errors import ClusterError, UsageError
from fourcc.installation import hint


@pytest.fixture
def model(root: Path) -> Path:
    """The shipped model."""
    return root / "fourcc" / "example" / "tiny.bin"


@pytest.mark.parametrize("address", ["local:0", "local", "local:x", "host:8786", "tcp://host", "http://host:1", ""])
def test_an_address_that_is_spelled_wrong_is_refused(
    model: Path, tmp_path: Path, address: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["convert", str(model), "-o", str(tmp_path / "m.bin"), "--format", "F16", "--cluster", address]) == 2
    told = capsys.readouterr().err
    assert f"bad address of a cluster: found {address!r}, expected tcp://HOST:8786 or tls://HOST:8786" in told
    assert "or local:4 for 4 processes" in told
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("address", ["local:4", "tcp://10.0.0.1:8786", "tls://scheduler.example.org:8786"])
def test_addresses(address: str) -> None:
    check_address(address)


def test_a_missing_package_is_asked_for_by_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UsageError) as raised, connected("local:2"):
        pass
    assert str(raised.value) == f"--cluster needs dask. {hint('cluster')}"
    assert "'distributed>=" in str(raised.value)


@pytest.mark.thorough
def test_nothing_of_dask_is_loaded_without_the_option(model: Path, tmp_path: Path) -> None:
    code = (
        "import sys; from fourcc.cli.app import main\n"
        f"assert main(['convert', {str(model)!r}, '-o', {str(tmp_path / 'm.bin')!r}, '--format', 'F16', '-q']) == 0\n"
        "print([name for name in sys.modules if name in ('dask', 'distributed', 'tornado')])"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == "[]"


def test_a_budget_takes_no_cluster(model: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["convert", str(model), "--budget", "4bpw", "--cluster", "local:2"]) == 2
    assert "--cluster" in capsys.readouterr().err


def test_a_stream_takes_no_cluster() -> None:
    with pytest.raises(UsageError, match="--stream and --cluster exclude each other"):
        AskedExecution(cluster="local:2", stream=True)


@pytest.mark.thorough
def test_a_cluster_of_this_machine(model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("distributed", reason="needs the extra cluster")
    fourcc.convert(model, tmp_path / "one.bin", format="Q4_0,F16")
    command = ["convert", str(model), "-o", str(tmp_path / "many.bin"), "--format", "Q4_0,F16", "--cluster", "local:2"]
    assert main(command) == 0
    assert (tmp_path / "one.bin").read_bytes() == (tmp_path / "many.bin").read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["many.bin", "one.bin"]
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.thorough
def test_a_scheduler_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed", reason="needs the extra cluster")
    from fourcc.cluster import dask_executor

    monkeypatch.setattr(dask_executor, "ANSWER_SECONDS", 1)
    with (
        pytest.raises(ClusterError, match=r"no scheduler of dask answers at tcp://127\.0\.0\.1:9"),
        connected("tcp://127.0.0.1:9"),
    ):
        pass
