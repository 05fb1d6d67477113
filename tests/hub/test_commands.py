"""Commands on models of a hub: what is printed, what is refused, and what an interrupt leaves."""

import errno
import json
import os
import re
import signal
import subprocess
import sys
import time
from concurrent.futures import Executor, ThreadPoolExecutor
from pathlib import Path

import pytest

import fourcc
from fourcc.cli.app import main
from fourcc.example import FOLDER, POLICY
from tests.hub.conftest import NAME, leftovers
from tests.hub.server import Fault, LocalHub, Repo, Stored

AT = "hf://org/model@0123456789ab"


def ended(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of a command."""
    capsys.readouterr()
    code = main([str(argument) for argument in arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.fixture
def served_model(hub: LocalHub, sharded: Path) -> LocalHub:
    """The hub with the sharded model."""
    hub.add(NAME, sharded)
    return hub


def test_commands_that_look(served_model: LocalHub, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """They fetch headers and small files, and call files as the hub does."""
    sent: list[int] = []
    served_model.on_bytes = lambda _, count: sent.append(count)
    for arguments in (
        ["inspect", NAME],
        ["inspect", f"hf://{NAME}@main", "--json"],
        ["policy", "check", FOLDER / POLICY, NAME],
        ["convert", NAME, "--format", "Q8_0,F16", "--dry-run"],
        ["export", NAME, "--to", "gguf", "--dry-run"],
        ["report", NAME, "-o", tmp_path / "page.html", "--quick"],
    ):
        code, out, err = ended(capsys, *arguments)
        assert code == 0, err
        assert str(tmp_path) not in (out + err).replace(str(tmp_path / "page.html"), "")
        assert "weights" in out or "layers.0" in out or "tensors" in out
    assert sum(sent) < 6 * 120_000
    assert leftovers(tmp_path) == []


def test_inspect_says_where_the_model_lies(served_model: LocalHub, capsys: pytest.CaptureFixture[str]) -> None:
    """By its commit, in both forms."""
    assert ended(capsys, "inspect", NAME)[1].startswith(f"file              {AT}: safetensors\n")
    document = json.loads(ended(capsys, "inspect", NAME, "--json")[1])
    assert document["file"] == AT
    assert document["file_bytes"] > 1_400_000


def test_streamed_as_downloaded(served_model: LocalHub, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """`convert` and `export` give the same bytes with and without --stream; -v tells of each file."""
    made, rest = (("convert", "model.bin"), ("export", "model.gguf")), ["--format", "Q8_0,F16"]
    for command, name in made:
        code, _, err = ended(capsys, command, NAME, "-o", tmp_path / f"a-{name}", *rest, "--stream", "-v")
        assert code == 0, err
        assert err.count(f"downloading {AT}/model-0000") == 4
    for command, name in made:
        assert ended(capsys, command, NAME, "-o", tmp_path / f"b-{name}", *rest)[0] == 0
        assert (tmp_path / f"a-{name}").read_bytes() == (tmp_path / f"b-{name}").read_bytes()
    assert leftovers(tmp_path) == []


def test_commands_that_use_weights(served_model: LocalHub, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """They download the model into the cache once."""
    text = tmp_path / "text.txt"
    text.write_text("One day there was a girl. " * 30)
    assert ended(capsys, "run", NAME, "-i", "One day", "-n", "6")[0] == 0
    whole = sum(request.at == "cdn" for request in served_model.requests)
    for arguments in (
        ["stats", NAME, "-q"],
        ["eval", NAME, "--text", text, "--context", "32"],
        ["calibrate", NAME, "--text", text, "-o", tmp_path / "m.calib", "--context", "32"],
        ["diff", NAME, f"hf://{NAME}"],
        ["quantize", NAME, "-o", tmp_path / "q.bin", "--format", "Q8_0,F16"],
    ):
        code, _, err = ended(capsys, *arguments)
        assert code == 0, (arguments, err)
    assert sum(request.at == "cdn" for request in served_model.requests) == whole


def test_workers_read_the_cache(served_model: LocalHub, tmp_path: Path) -> None:
    """Work that an executor spreads gives the bytes of one process: workers open the model where it was downloaded."""
    text, asked = tmp_path / "text.txt", {"context": 32, "tokens": 64}
    text.write_text("One day there was a girl. " * 30)

    def made(name: str, executor: Executor | None) -> tuple[bytes, str, str]:
        fourcc.calibrate(NAME, text, tmp_path / name, executor=executor, **asked)
        costs = fourcc.measure(NAME, text, options="Q8_0", executor=executor, **asked)
        score = fourcc.evaluate(NAME, text, executor=executor, **asked)
        return (tmp_path / name).read_bytes(), costs.dumps(), str(score.records())

    with ThreadPoolExecutor(2) as executor:
        assert made("there", executor) == made("here", None)


REFUSED = [
    (
        "org/nam",
        [],
        (
            "hf://org/nam: no such file or folder is here, and the hub has no such model: found status 401. Check the "
            "name. If the model is private, log in: hf auth login."
        ),
    ),
    ("hf://org/nam", [], "hf://org/nam: the hub has no such model: found status 401. Check the name. If the model is"),
    (
        "org/model@x",
        [],
        "hf://org/model@x: the hub has no such revision of the model: found status 404. Name a branch, a",
    ),
    ("org/model/x.gguf", [], "hf://org/model/x.gguf: the repository has no such file or folder. It has"),
    ("org/gated", [], "access to the model is restricted: found status 403. Accept its licence at http://127.0.0.1:"),
    (NAME, [Fault("info", "403", 9)], "hf://org/model: the hub does not let you read it: found status 403. Accept the"),
    (
        NAME,
        [Fault("info", "503", 9)],
        "hf://org/model: the server does not give it: found status 503. Try again later.",
    ),
    (NAME, [Fault("info", "429", 9)], "hf://org/model: too many requests: found status 429. Wait some minutes"),
    (NAME, [Fault("info", "much_later")], "the server wants to be left alone: found 429, for 3600 s. Try again then"),
    (NAME, [Fault("info", "nonsense", 9)], "hf://org/model: this is not the answer of a hub: found JSONDecodeError"),
    (
        NAME,
        [Fault("resolve", "nonsense", 9, "json")],
        "index.json: this is not the answer of a hub: found an answer w",
    ),
    (
        NAME,
        [Fault("resolve", "etag", 9, "00002")],
        (
            f"{AT}/model-00002-of-00004.safetensors: the file changed on the server: it has another etag: "
            f"found {'e' * 64}, expected "
        ),
    ),
    (
        NAME,
        [Fault("resolve", "commit", 9, "00002")],
        f"the file changed on the server: it has another commit: found {'f' * 40}, expected 0123456789abcdef",
    ),
    (NAME, [Fault("cdn", "size", 99)], "the file changed on the server: it has another length: found "),
    (NAME, [Fault("cdn", "short", 99, "00003", above=1)], "the server's answers are wrong: found "),
    (
        NAME,
        [Fault("cdn", "404", 99, "00002")],
        "00002-of-00004.safetensors: the server's answers are wrong: found status 404",
    ),
    (
        NAME,
        [Fault("cdn", "404", 99, "tokenizer")],
        "tokenizer.json: the server has no such file: found status 404. Check",
    ),
]


@pytest.mark.parametrize(("name", "faults", "message"), REFUSED)
def test_a_refusal(
    served_model: LocalHub,
    sharded: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
    faults: list[Fault],
    message: str,
) -> None:
    """The message names the model or the file, both states, and what to do."""
    served_model.add("org/gated", sharded, gated=True)
    served_model.faults = [Fault(each.at, each.kind, each.times, each.within, each.above) for each in faults]
    code, out, err = ended(capsys, "inspect", name)
    assert (code in (3, 4), out) == (True, "")
    assert message in err, err


def test_the_cache_s_disk_is_full(
    served_model: LocalHub, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The network is not blamed for it."""
    import huggingface_hub

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", full)
    code, _, err = ended(capsys, "convert", NAME, "-o", tmp_path / "m.bin", "--format", "Q8_0,F16")
    assert code == 4
    assert err.endswith(".json: No space left on device (while it was downloaded)\n"), err


def test_an_index_that_is_no_json(served_model: LocalHub, sharded: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """The file has the name by which it can be asked for."""
    repo = served_model.add("org/broken", sharded)
    repo.files["model.safetensors.index.json"] = Stored(b"[" * 1000)
    assert "hf://org/broken/model.safetensors.index.json, byte 0: " in ended(capsys, "inspect", "org/broken")[2]


def test_the_package_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Said with the words that install it; a name that may be a path is told as one, too."""
    from fourcc.hub import library

    library.library.cache_clear()
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    monkeypatch.chdir(tmp_path)
    try:
        install = "Install it beside fourcc: pip install 'huggingface_hub>=1.0'"
        code, _, err = ended(capsys, "inspect", "hf://org/model")
        what = "a model on a hub is read with the package huggingface_hub, which is missing"
        assert (code, err) == (2, f"fourcc: error: hf://org/model: {what}. {install}\n")
        code, _, err = ended(capsys, "inspect", "org/model")
        what = f"No such file or directory. If that is the name of a model on a hub: {install}"
        assert (code, err) == (4, f"fourcc: error: org/model: {what}\n")
    finally:
        library.library.cache_clear()


def test_stream_of_a_file_here(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Refused before anything is written."""
    code, _, err = ended(capsys, "convert", FOLDER / "tiny.bin", "-o", tmp_path / "m.bin", "--stream")
    assert (code, "there is nothing to stream. Leave --stream out" in err) == (2, True)


def test_progress_of_a_download(
    served_model: LocalHub, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A line that names the file, wherever a download is told of; none with -q."""
    from fourcc.cli.render import progress

    monkeypatch.setattr(progress, "LINE_SECONDS", 0.0)
    err = ended(capsys, "stats", NAME)[2]
    assert re.search(r"^downloading +100 %, .*: model-00001-of-00004\.safetensors$", err, re.MULTILINE), err
    served_model.repos = {"org/other": served_model.repos[NAME]}
    assert ended(capsys, "stats", "org/other", "-q")[2] == ""


def test_starting_loads_no_huggingface_hub() -> None:
    """Nor does a look at a file of this machine."""
    code = (
        "import sys, fourcc\n"
        "from fourcc.cli.app import main\n"
        f"main(['inspect', {str(FOLDER / 'tiny.bin')!r}, '-q'])\n"
        "main(['--help'])\n"
        "assert not [name for name in sys.modules if name.startswith(('huggingface_hub', 'httpx'))]\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.thorough
@pytest.mark.skipif(os.name != "posix", reason="signals as Linux and macOS have them")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_leaves_nothing(hub: LocalHub, tmp_path: Path, number: signal.Signals) -> None:
    """In the middle of a file that a thread downloads: it ends soon, and removes what it has."""
    from tests.lanes.stream import checkpoint

    files = checkpoint(16 << 20, 2)
    hub.repos[NAME] = Repo(files)
    sent = 0

    def slowly(_: str, count: int) -> None:
        nonlocal sent
        sent += count
        time.sleep(0.02)

    hub.on_bytes = slowly
    output = tmp_path / "out"
    output.mkdir()
    env = {**os.environ, "HF_ENDPOINT": hub.address, "HF_HOME": str(tmp_path / "home")}
    command = [
        sys.executable,
        "-m",
        "fourcc",
        "convert",
        NAME,
        "-o",
        str(output / "m.bin"),
        "--format",
        "Q8_0",
        "--stream",
    ]
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a child ignores what its parent ignores
    begun = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, env=env, cwd=tmp_path)
    signal.signal(signal.SIGINT, before)
    with begun:
        while sent < (2 << 20) and begun.poll() is None:
            time.sleep(0.05)
        assert leftovers(output) != []
        begun.send_signal(number)
        err = begun.communicate(timeout=15)[1]
    assert begun.returncode == 128 + number, err
    assert list(output.iterdir()) == [], err


def test_what_a_killed_run_leaves_is_swept(hub: LocalHub, tmp_path: Path, sharded: Path) -> None:
    """The folder of a process that lives stays, that of another goes."""
    from fourcc.hub.mirror import Mirror

    gone = tmp_path / ".fourcc-hub-gone"
    gone.mkdir()
    (gone / "weights").write_bytes(b"x")
    with Mirror(tmp_path, NAME, "hf://a/", whole=True), Mirror(tmp_path, NAME, "hf://b/", whole=True):
        assert not gone.exists()
        assert len(leftovers(tmp_path)) == 2
    assert leftovers(tmp_path) == []


def test_a_model_bin_is_listed_as_here(
    hub: LocalHub, sharded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """With its id, by ranges."""
    assert ended(capsys, "convert", sharded, "-o", tmp_path / "model.bin", "--format", "Q8_0,F16")[0] == 0
    hub.repos[NAME] = Repo({"model.bin": Stored((tmp_path / "model.bin").read_bytes())})
    here = ended(capsys, "inspect", tmp_path / "model.bin")[1].replace(str(tmp_path), AT)
    assert ended(capsys, "inspect", f"{NAME}/model.bin")[1] == here
    there = ended(capsys, "inspect", f"{NAME}/model.bin", "--tensor", "layers.0.attention.wq")[1]
    assert there == ended(capsys, "inspect", tmp_path / "model.bin", "--tensor", "layers.0.attention.wq")[1]


def test_a_dry_run_tells_the_download(served_model: LocalHub, capsys: pytest.CaptureFixture[str]) -> None:
    """Its bytes, and where they will lie: one file at a time beside the output, or all in the hub's cache."""
    assert served_model
    asked = ["convert", NAME, "--format", "Q8_0,F16", "--dry-run"]
    whole = ended(capsys, *asked)[1]
    streamed = json.loads(ended(capsys, *asked, "--stream", "--json")[1])["forecast"]
    assert ", without a download of 1.4 MB\n" in whole
    assert "to write and 1.4 MB in the hub's cache\n" in whole
    assert 0 < streamed["beside_bytes"] < streamed["download_bytes"]
    assert " kB for a file of the source\n" in ended(capsys, *asked, "--stream")[1]


def test_a_stream_is_of_one_machine(hub: LocalHub, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Refused before anything is asked."""
    code, _, err = ended(capsys, "convert", NAME, "-o", tmp_path / "m.bin", "--stream", "--cluster", "local:2")
    assert (code, hub.requests) == (2, [])
    assert "--stream and --cluster exclude each other. Without --stream each machine downloads the model" in err
