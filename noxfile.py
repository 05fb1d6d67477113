"""A developer's tasks, by name: `nox -s tests`; `nox -l` lists all. Sessions run in the environment that is active."""

from __future__ import annotations

import nox

nox.options.default_venv_backend = "none"  # what is installed in the developer's environment is what is tested
nox.options.sessions = ["tests", "lint", "types"]

PYTEST = ("python", "-m", "pytest", "-n", "2")
KERNELS = ("python", "-m", "pytest", "tests/kernels", "-m", "not thorough")
TARGETS = ("avxvnni", "avx2", "portable")  # on x86-64; the host's own is that of `tests`


@nox.session
def tests(session: nox.Session) -> None:
    """Run the tests, as the README's command does."""
    session.run(*PYTEST, *session.posargs)


@nox.session
def thorough(session: nox.Session) -> None:
    """Run the tests that take long: other targets, all checks of all formats, all examples of properties, plugins."""
    session.run(*PYTEST, "-m", "thorough or hypothesis", "--hypothesis-profile", "thorough", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style."""
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Check types."""
    session.run("mypy")


@nox.session
def notebooks(session: nox.Session) -> None:
    """Run the notebooks of `specs/notebooks/`; wants the extra `docs`."""
    session.run("python", "-m", "pytest", "tests/specs/test_notebooks.py", *session.posargs)


@nox.session
def pages(session: nox.Session) -> None:
    """Check what the README, tutorial, how-to pages and guide show, or renew it: `-- README.md --update`."""
    session.run("python", "-m", "tests.pages", *session.posargs)


@nox.session
def site(session: nox.Session) -> None:
    """Build the documentation site into build/site; wants the extra `docs`."""
    session.run("python", "-m", "mkdocs", "build", "--strict", *session.posargs, env={"NO_MKDOCS_2_WARNING": "1"})


@nox.session
def ci(session: nox.Session) -> None:
    """Do all that must hold before a change lands, on a clean clone."""
    session.run(".ci/run", external=True)


@nox.session
def release(session: nox.Session) -> None:
    """Build and try what would be published, and upload nothing; wants the extra `release`."""
    session.run("python", "-m", "tests.release", *session.posargs)


@nox.session
def uncompiled(session: nox.Session) -> None:
    """Run the kernels' tests with kernels as plain Python."""
    session.run(*KERNELS, *session.posargs, env={"NUMBA_DISABLE_JIT": "1"})


@nox.session
def bounds(session: nox.Session) -> None:
    """Run the kernels' tests with every index checked."""
    session.run(*KERNELS, *session.posargs, env={"NUMBA_BOUNDSCHECK": "1"})


@nox.session
def targets(session: nox.Session) -> None:
    """Run the kernels' tests for each other processor that this one can be."""
    for target in TARGETS:
        session.run(*KERNELS, *session.posargs, env={"FOURCC_SIMD": target})


@nox.session
def bench(session: nox.Session) -> None:
    """Measure; beside other projects, with the extra `bench`: `-- --peers`."""
    session.run("fourcc", "bench", *session.posargs)


@nox.session
def report(session: nox.Session) -> None:
    """Look at reports in Chromium, with axe; the head of the lane says what it wants."""
    session.run("python", "-m", "pytest", "-s", "tests/lanes/test_report_page.py", *session.posargs)


@nox.session
def kill(session: nox.Session) -> None:
    """Kill 200 conversions at random moments."""
    session.run("python", "tests/lanes/kill.py", "--runs", "200")


@nox.session
def resume(session: nox.Session) -> None:
    """Kill conversions, exports, calibrations and measurements fifty times each, and go on with them."""
    session.run("python", "-m", "tests.lanes.resume", "--kills", "50")


@nox.session
def calibration_memory(session: nox.Session) -> None:
    """Calibrate and measure a model that is larger than the cap on memory."""
    session.run("python", "tests/lanes/calibration_memory.py", *session.posargs)


@nox.session
def cluster(session: nox.Session) -> None:
    """Kill workers of conversions on a cluster, and time workers beside threads; wants the extra `cluster`."""
    session.run("python", "-m", "tests.lanes.cluster", *session.posargs)


@nox.session
def scaling(session: nox.Session) -> None:
    """Record pieces of conversions, and have dask's scheduler hand them to many workers; wants the extra `cluster`."""
    session.run("python", "-m", "tests.lanes.cluster_scaling", *session.posargs)


@nox.session
def decoders(session: nox.Session) -> None:
    """Make up 10,000 block decoders, and compile 1,000, which must mean the same in every way to run them."""
    session.run("python", "-m", "tests.lanes.decoders")


@nox.session
def large(session: nox.Session) -> None:
    """Convert 6 GiB, and an embedding of 4 GiB, under a cap on memory."""
    for asked in (["--gib", "6"], ["--gib", "6", "--mixed"], ["--gib", "0.125", "--feedback"], ["--embedding"]):
        session.run("python", "tests/lanes/large.py", *asked, "--memory", "500MB", "--threads", "1,2,8")


@nox.session
def memory(session: nox.Session) -> None:
    """Compare the memory of conversions, in every format, with what is predicted."""
    session.run("python", "-m", "tests.lanes.memory", *session.posargs)


@nox.session
def stream(session: nox.Session) -> None:
    """Convert 6 GiB from a hub of this machine with room for one file."""
    session.run("python", "-m", "tests.lanes.stream", "--gib", "6")


@nox.session
def sparse(session: nox.Session) -> None:
    """Plan models of 140 and 400 GB in 5 seconds and 200 MB."""
    session.run("python", "tests/lanes/sparse.py", *session.posargs)


@nox.session
def forecasts(session: nox.Session) -> None:
    """Compare forecasts with what conversions and runs then take; `-- --write` puts the tables into the page."""
    session.run("python", "tests/lanes/forecasts.py", *session.posargs)


@nox.session
def context(session: nox.Session) -> None:
    """Fill a context of 4096 positions in bounded memory."""
    session.run("python", "tests/lanes/context.py")


@nox.session
def start(session: nox.Session) -> None:
    """Time the first token of a warm start."""
    session.run("python", "tests/lanes/start.py")


@nox.session
def logits(session: nox.Session) -> None:
    """Compare the stored logits of transformers with those that it gives; wants `transformers` and `torch`."""
    session.run("python", "tests/lanes/transformers_logits.py")
    session.run("python", "tests/lanes/family_logits.py")


@nox.session
def families(session: nox.Session) -> None:
    """Run what we export of each family with transformers and llama.cpp; the head of the lane says what it wants."""
    session.run("python", "-m", "tests.lanes.families", *session.posargs)


@nox.session
def quantized(session: nox.Session) -> None:
    """Compare the stored matrices of compressed-tensors with those that it makes; wants it, `transformers`, `torch`."""
    session.run("python", "tests/lanes/quantized_modules.py")


@nox.session
def llama_cpp(session: nox.Session) -> None:
    """Run what we export with llama.cpp, and compare logits; wants `llama-cpp-python`."""
    files = ("tests/lanes/test_llama_cpp.py", "tests/lanes/test_llama_cpp_families.py")
    session.run("python", "-m", "pytest", *files)


@nox.session
def quantizer(session: nox.Session) -> None:
    """Compare with llama.cpp's quantizer: seconds, memory, bytes; wants `llama-cpp-python` and a folder with 4 GB."""
    session.run("python", "-m", "tests.lanes.quantizer", *session.posargs)


@nox.session
def imatrix(session: nox.Session) -> None:
    """Compare calibrations with those of llama.cpp's tools, which lie in the folder `FOURCC_LLAMA_CPP`."""
    session.run("python", "-m", "pytest", "tests/lanes/test_llama_imatrix.py")


@nox.session
def real(session: nox.Session) -> None:
    """Talk with SmolLM2 and measure it; llama.cpp's vocabularies and chat templates; the heads of the files say how."""
    names = ("smollm2", "llama_cpp_vocabularies", "llama_cpp_written", "chat_templates")
    files = [f"tests/lanes/test_{name}.py" for name in names]
    session.run("python", "-m", "pytest", *files)


@nox.session
def folders(session: nox.Session) -> None:
    """Load folders that we write with transformers, and talk with what `quantize` makes of one; see the file's head."""
    session.run("python", "-m", "pytest", "-s", "tests/lanes/test_folders.py")


@nox.session
def calibration(session: nox.Session) -> None:
    """Measure what calibration, error feedback and allocation gain, with goals; wants FOURCC_DATA and a folder."""
    session.run("python", "-m", "tests.lanes.calibration", *(session.posargs or ["calibration-tables"]))


@nox.session
def axe(session: nox.Session) -> None:
    """Check the built site for accessibility, with axe in Chromium; the head of the lane says what it wants."""
    session.run("python", "-m", "tests.lanes.axe", *(session.posargs or ["build/site"]))


@nox.session
def model(session: nox.Session) -> None:
    """Make the shipped model again; wants PyTorch."""
    session.run("python", "tests/models/make_tiny.py")
