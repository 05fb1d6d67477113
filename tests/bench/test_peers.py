"""Other projects beside us: those that are missing, those that fail, those that are there."""

import gc
import sys
from collections.abc import Iterator

import attrs
import pytest

from fourcc.bench import run
from fourcc.bench.peers import ggml, ggml_graph, ggml_library, ggml_trial, peer
from fourcc.bench.peers.peer import NAMES, Candidate, Coder, PeerSubject
from fourcc.bench.plan import make
from fourcc.bench.results import Results
from fourcc.bench.timing import Series
from fourcc.plugins.entries import OWN
from fourcc.plugins.registry import registry
from fourcc.tags import as_tag


@attrs.define(eq=False)
class Fixed(Series):
    """Samples of a length that is known."""

    known: float = 0.0

    def turn(self) -> None:
        """One sample."""
        self.turns.append([self.known])


def fixed(seconds: float) -> Series:
    """A series of it."""
    return Fixed("fake", lambda: None, known=seconds)


class Fake:
    """A peer that fails in one of its two parts."""

    name = "fake"
    package = "fake"

    def missing(self) -> str | None:
        """It is there."""
        return None

    def products(self, subject: PeerSubject) -> Iterator[Candidate]:
        """Two of one kind, the second one faster, and one of a format that is not measured."""
        for seconds in (2.0, 1.0):
            yield Candidate("odd", "Q8_0", 1, 1, 10, fixed(seconds))
        yield Candidate("other", "Zzzz", 1, 1, 1, fixed(1.0))

    def coders(self, subject: PeerSubject) -> Iterator[Coder]:
        """Fails."""
        raise RuntimeError("no coding today")


def measured(monkeypatch: pytest.MonkeyPatch) -> Results:
    """A run with the fake alone."""
    monkeypatch.setattr(run, "NAMES", ("fake",))
    monkeypatch.setattr(run, "load", lambda _: Fake())
    plan = make(formats="Q8_0", shapes="32x64", threads="1", counts="1", quick=True, peers=True)
    return run.BenchRun(plan, lambda *_: None).results()


@pytest.mark.thorough
def test_a_failing_peer_disturbs_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is named, with the reason."""
    results = measured(monkeypatch)
    assert results.missing == {"fake": "RuntimeError: no coding today"}
    assert len(results.products) == 1


@pytest.mark.thorough
def test_the_faster_one_is_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    """The ratio is that of speeds, activations included; a format that was not measured has none."""
    results = measured(monkeypatch)
    (own,) = results.products
    odd, other = results.peer_products
    assert (odd.timing.best, odd.kind, other.ratio) == (0.1, "odd", None)
    assert own.prepared is not None
    assert odd.ratio is not None
    assert odd.ratio.best == pytest.approx(0.1 / (own.timing.best + own.prepared.best))


def test_missing_ones_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is named with what to install."""
    for module in (peer, ggml_library):
        monkeypatch.setattr(module, "find_spec", lambda _: None)
    reasons = {name: peer.load(name).missing() for name in NAMES}
    assert reasons == {
        "ggml": "llama-cpp-python not installed",
        "gguf": "gguf not installed",
        "numpy": "threadpoolctl not installed",
        "torch": "torch not installed",
        "onnxruntime": "onnxruntime and onnx not installed",
    }


@pytest.mark.parametrize("name", NAMES)
def test_those_that_are_installed_can_be_measured(name: str) -> None:
    """All of a peer's series run."""
    if (reason := peer.load(name).missing()) is not None:
        pytest.skip(reason)
    plan = make(formats="Q4_0,Q8_0,F32", shapes="64x256", threads="1", counts="1,2", quick=True, peers=True)
    originals = {str(each.tag): run.matrices.matrix(each, 64, 256) for each in plan.formats}
    subject = PeerSubject(64, 256, plan.counts, plan.threads, 10_000, originals)
    loaded = peer.load(name)
    products, coders = list(loaded.products(subject)), list(loaded.coders(subject))
    series = [each.series for each in products]
    series += [one for each in coders for one in (each.decode, each.encode) if one is not None]
    assert series
    for each in series:
        each.turn()
        assert each.timing.best > 0
    assert {each.like for each in (*products, *coders)} <= set(originals)


def test_each_of_ggmls_types_is_compared_with_ours() -> None:
    """Its products run, and its coding, but for floats, which need none."""
    if (reason := ggml.PEER.missing()) is not None:
        pytest.skip(reason)
    ours = {kind: registry.foreign("ggml", kind) for kind in ggml.TYPES}
    found = {str(each.tag): run.matrices.matrix(each, 64, 256) for each in ours.values() if each is not None}
    assert len(found) == len(ggml.TYPES)
    subject = PeerSubject(64, 256, (1,), (1,), 10_000, found)
    products, coders = list(ggml.PEER.products(subject)), list(ggml.PEER.coders(subject))
    assert {each.like for each in products} == set(found)
    assert {each.like for each in coders} == set(found) - {"F32"}
    for each in [one.series for one in products] + [one.encode for one in coders if one.encode is not None]:
        each.turn()
        assert each.timing.best > 0


@pytest.mark.parametrize(
    ("program", "reason"),
    [
        ("pass", None),
        ("import sys; sys.exit(3)", "exit status 3"),
        ("import os, signal; os.kill(os.getpid(), signal.SIGILL)", "illegal instruction"),
    ],
)
def test_what_ends_ggml_is_found_in_a_process_of_its_own(
    program: str, reason: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An instruction that the processor refuses must not end the run."""
    monkeypatch.setattr(ggml_trial, "command_for", lambda _: [sys.executable, "-c", program])
    ggml_trial.why_not.cache_clear()
    assert ggml_trial.why_not(1) == reason
    ggml_trial.why_not.cache_clear()


def test_ggmls_memory_goes_with_its_products(monkeypatch: pytest.MonkeyPatch) -> None:
    """A run of several shapes would hold the weights of all of them."""
    if (reason := ggml.PEER.missing()) is not None:
        pytest.skip(reason)
    freed: list[set[str]] = []
    monkeypatch.setattr(ggml_library.Library, "free", lambda _, **what: freed.append(set(what)))
    library = ggml_library.library()
    matrix = run.matrices.matrix(registry[as_tag("Q4_0")], 64, 256)
    weights = ggml_graph.weights_in(library, matrix, 2, 3, library.buffer_types()[0])
    products = [ggml_graph.Products(library, weights, some, 2) for some in (1, 3)]
    for each in products:
        each()
    del weights, each
    gc.collect()
    assert not freed
    products.clear()
    gc.collect()
    assert sorted(map(sorted, freed)) == [["allocator", "context"]] * 2 + [["buffer", "context"]]


def test_where_ggml_cannot_put_weights_is_noted(monkeypatch: pytest.MonkeyPatch) -> None:
    """The other places are measured."""
    if (reason := ggml.PEER.missing()) is not None:
        pytest.skip(reason)
    monkeypatch.setattr(ggml_trial, "why_not", lambda number: "illegal instruction" if number else None)
    originals = {"Q4_0": run.matrices.matrix(registry[as_tag("Q4_0")], 64, 256)}
    subject = PeerSubject(64, 256, (1,), (1,), 10_000, originals)
    assert len(list(ggml.PEER.products(subject))) == 1
    assert subject.notes
    assert all(
        "buffers are left out: a process that tried one ended (illegal instruction)" in each for each in subject.notes
    )


# ggml's types with numbers that are not measured: doubles are no weights of its products; those of codebooks are only
# carried here, so no matrix is made of them; ternary and one- and two-bit types and NVFP4 are not in every ggml of
# llama-cpp-python.
CARRIED = {16, 17, 18, 19, 21, 22, 29}
NOT_MEASURED = {28, 34, 35, 40, 41, 42, *CARRIED}


def test_every_type_of_ggml_that_we_have_is_measured() -> None:
    """ggml's types of blocks and floats have numbers; what is not measured is listed."""
    own = [registry[tag] for tag in registry if registry.entry(tag).distribution == OWN]
    claimed = {each.foreign.get("ggml") for each in own if each.real}
    assert claimed - {None} - NOT_MEASURED == set(ggml.TYPES)
    assert claimed >= NOT_MEASURED
    assert {each.foreign["ggml"] for each in own if each.foreign.get("ggml") in CARRIED and not each.encode} == CARRIED


@pytest.mark.thorough
def test_fewer_rows_make_no_other_rate(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sample of encoding that takes half of the rows is counted as half of the bytes."""

    class Half(Fake):
        def coders(self, subject: PeerSubject) -> Iterator[Coder]:
            decode, encode = (fixed(1.0) for _ in range(2))
            yield Coder("odd", "Q8_0", 1, decode, encode, 16)

    monkeypatch.setattr(run, "NAMES", ("half",))
    monkeypatch.setattr(run, "load", lambda _: Half())
    plan = make(formats="Q8_0", shapes="32x64", threads="1", counts="1", quick=True, peers=True)
    (coder,) = run.BenchRun(plan, lambda *_: None).results().peer_codecs
    assert coder.decode is not None
    assert coder.encode is not None
    assert (coder.decode.best, coder.encode.best) == (4 * 32 * 64, 4 * 16 * 64)
