"""A cap on memory: what a conversion takes is told before it begins, held, and refused where it cannot be held."""

from __future__ import annotations

import threading
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fourcc
from fourcc.conversion.carrying_out import execute
from fourcc.conversion.memory_need import Room, peak_bytes
from fourcc.conversion.plan import Plan, plan
from fourcc.conversion.step_need import MB
from fourcc.conversion.tile_need import decoding_bytes, encoding_bytes
from fourcc.errors import UsageError
from fourcc.execution import Execution
from fourcc.feedback.factor import Factor
from fourcc.feedback.feedback import Feedback
from fourcc.files.mapped import RUN, let_go, runs_of_rows
from fourcc.format import Aids
from fourcc.plugins.registry import registry
from fourcc.policy import Policy
from fourcc.policy.amounts import memory_cap
from fourcc.sources.arrangement import Turned
from fourcc.sources.source import Source, SourceTensor
from fourcc.threads import Task, in_order
from tests.feedback.hessians import hessian

ENCODED = [each["tag"] for each in registry.records() if registry[each["tag"]].encode is not None]
TILE = (64, 512)  # rows and columns of a tile in these tests, small: their needs are asked for, not measured


def planned(tag: str, shape: tuple[int, ...] = (600, 256), count: int = 2, *, fed: bool = False) -> Plan:
    """A conversion of Gaussian weights in memory."""
    made = [np.random.default_rng(seed).standard_normal(shape, np.float32) for seed in range(count)]
    names = [f"layers.{number}.attention.w{'qkvo'[number]}.weight" for number in range(count)]
    source = Source(Path("memory"), "memory", tuple(map(SourceTensor.of_array, names, made)), ())
    aids = {name: Aids(None, hessian(shape[-1], seed)) for seed, name in enumerate(names)} if fed else {}
    return plan(source, Policy.shorthand(tag), aids=aids, feedback="gptq" if fed else None)


def least(asked: Plan, threads: int) -> int:
    """The smallest cap that the conversion fits, and a little for what tests allocate meanwhile."""
    return Room.of(asked, Execution(threads=threads)).least + 20 * MB


@pytest.mark.parametrize(("tag", "fed"), [("Q8_0", False), ("Q4_K", True), ("Q8_F", False), ("NV4T", False)])
def test_bytes_do_not_depend_on_the_cap(tmp_path: Path, tag: str, fed: bool) -> None:
    """The smallest cap, a larger one and none; one thread and several."""
    asked = planned(tag, fed=fed)
    for number, (threads, cap) in enumerate([(1, None), (1, 0), (3, 0), (3, 300 * MB)]):
        memory = None if cap is None else least(asked, threads) + cap
        execute(asked, tmp_path / f"{number}.bin", Execution(threads=threads, memory=memory))
    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 1


@pytest.mark.parametrize("tag", ENCODED)
def test_a_tile_needs_what_it_takes(tag: str) -> None:
    """Encoding and decoding a tile are counted: more than its own arrays, and not beyond all measure."""
    fmt = registry[tag]
    step = planned(tag, TILE, 1).steps[0]
    decision = step.decision
    weights, stored = TILE[0] * TILE[1], fmt.stored_bytes(TILE, decision.params)
    assert decoding_bytes(fmt, decision.params, *TILE) >= stored + 4 * weights
    need = encoding_bytes(fmt, decision.params, decision.options, None, *TILE)
    assert 8 * weights + stored <= need <= 512 * weights


def test_levels_are_in_memory_a_few_rows_at_a_time() -> None:
    """256 levels a weight would take a gigabyte for a tile of 2^18 weights; the rows of a run take less."""
    fmt = registry["F8_G"]
    params = fmt.with_defaults()
    assert encoding_bytes(fmt, params, {}, Feedback(), 64, 4096) < 150 * MB
    assert encoding_bytes(fmt, params, {}, Feedback(), 64, 4096) < encoding_bytes(
        fmt, params, {}, Feedback(), 640, 4096
    )


# -- the pipeline


def test_tasks_hold_no_more_than_their_room() -> None:
    """At most three tasks of ten bytes are under way, or wait with their results, in a room of thirty."""
    held, most, lock = 0, 0, threading.Lock()

    def run() -> None:
        nonlocal held, most
        with lock:
            held += 10
            most = max(most, held)

    for _ in in_order((Task(run, 1, 10, 30) for _ in range(40)), 8, 1000):
        with lock:
            held -= 10
    assert 10 < most <= 40  # three in the room, and the result that is being taken


def test_a_task_without_room_waits_for_all_before_it() -> None:
    """All others have ended, and their results were taken."""
    taken: list[int] = []
    seen: list[list[int]] = []

    def run(number: int) -> int:
        if number == 5:
            seen.append(list(taken))
        return number

    tasks = (Task(lambda number=number: run(number), 1, 1, 0 if number == 5 else 100) for number in range(10))
    for number in in_order(tasks, 4, 1000):
        taken.append(number)  # noqa: PERF402 - tasks look at it meanwhile
    assert taken == list(range(10))
    assert seen == [[0, 1, 2, 3, 4]]


@pytest.mark.parametrize("threads", [1, 3])
def test_one_factor_is_in_memory_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, threads: int) -> None:
    """Under a cap no factor of a matrix before is left when the next one is made."""
    alive: list[weakref.ref[Factor]] = []
    most = [0]

    def counted(*given: Any, **named: Any) -> Factor:
        most[0] = max(most[0], 1 + sum(each() is not None for each in alive))
        made = factored(*given, **named)
        alive.append(weakref.ref(made))
        return made

    from fourcc.feedback import correction
    from fourcc.feedback.factor import factored

    asked = planned("Q4_K", (1200, 256), 4, fed=True)
    how = Execution(threads=threads, memory=least(asked, threads))
    monkeypatch.setattr(correction, "factored", counted)
    execute(asked, tmp_path / "a.bin", how)
    assert len(alive) == 4
    assert most == [1]


def test_threads_without_a_tile_of_their_own_do_not_start() -> None:
    """A cap with room for one tile leaves one thread."""
    asked = planned("Q8_0")
    assert Room.of(asked, Execution(threads=8)).threads == 8
    one = Room.of(asked, Execution(threads=8, memory=least(asked, 1) - 20 * MB))
    assert one.threads == 1


# -- refusals


def test_a_cap_below_the_process_is_refused(tmp_path: Path) -> None:
    """With both numbers; nothing is written."""
    with pytest.raises(
        UsageError, match=r"the cap on memory is below the \d+ MB that .* found 5 MB, expected at least \d+ MB"
    ):
        execute(planned("Q8_0"), tmp_path / "a.bin", Execution(memory=5 * MB))
    assert not list(tmp_path.iterdir())


def test_tensors_that_do_not_fit_are_named_together(tmp_path: Path) -> None:
    """A format that takes whole matrices needs more for large ones: all are told, with what to do."""
    asked = planned("Q8_F", (4096, 4096))
    cap = Room.of(asked, Execution(threads=1)).base + 100 * MB
    with pytest.raises(UsageError) as caught:
        execute(asked, tmp_path / "a.bin", Execution(threads=1, memory=cap))
    said = str(caught.value)
    assert "2 tensors do not fit the cap on memory" in said
    assert all(f"{step.source.name!r} needs" in said for step in asked.steps)
    assert f"found --memory of {-(-cap // MB)} MB, expected at least" in said
    assert "Raise --memory, or give them another format." in said
    assert "--no-feedback-for" not in said
    assert not list(tmp_path.iterdir())


def test_a_factor_that_does_not_fit_is_refused_with_what_leaves_it_out() -> None:
    """A Hessian of 8192 columns has a factor of 537 MB."""
    name, cols = "layers.0.attention.wq.weight", 8192
    weights = np.broadcast_to(np.float32(1), (8, cols))
    source = Source(Path("memory"), "memory", (SourceTensor.of_array(name, weights),), ())
    aids = {name: Aids(None, np.broadcast_to(np.float32(1), (cols, cols)))}
    asked = plan(source, Policy.shorthand("Q4_K"), aids=aids, feedback="gptq")
    base = Room.of(asked, Execution(threads=1)).base
    room = Room.of(asked, Execution(threads=1, memory=base + 300 * MB))
    assert room.needs[0].beside > 8 * cols * cols
    with pytest.raises(
        UsageError, match=r"a tensor does not fit .* Or leave error feedback out: --no-feedback-for ROLE."
    ):
        room.refuse_unfit()


def test_the_peak_is_the_cap_at_most_unless_it_is_refused() -> None:
    """Without a cap it grows with the threads."""
    asked = planned("Q8_0", (4096, 1024))
    free = peak_bytes(asked, Execution(threads=8))
    assert free > peak_bytes(asked, Execution(threads=1))
    cap = least(asked, 1)
    assert peak_bytes(asked, Execution(threads=8, memory=cap)) <= cap
    assert peak_bytes(asked, Execution(threads=1, memory=MB)) > MB


@pytest.mark.parametrize(("given", "nbytes"), [("2GB", 2 * 10**9), ("500 MiB", 500 << 20), (7, 7), (None, None)])
def test_caps_as_they_are_spelled(given: int | str | None, nbytes: int | None) -> None:
    """A number of bytes, with a unit or without."""
    assert memory_cap(given) == nbytes


@pytest.mark.parametrize(("given", "said"), [("much", "bad value of memory: found 'much'"), (0, "at least a byte")])
def test_caps_that_are_none(tmp_path: Path, given: int | str, said: str) -> None:
    """They are refused before the source is used."""
    path = tmp_path / "a.npz"
    np.savez(path, a=np.ones((2, 2), np.float32))
    with pytest.raises(UsageError, match=said):
        fourcc.convert(path, tmp_path / "a.bin", memory=given)


# -- error feedback is left out


def test_feedback_is_left_out_for_roles() -> None:
    """The others keep it."""
    asked = planned("Q4_K", count=3, fed=True)
    given = {step.source.name: step.aids for step in asked.steps}
    made = plan(asked.source, asked.policy, aids=given, feedback="gptq", no_feedback_for=["attention.[qk]"])
    assert [step.feedback is None for step in made.steps] == [True, True, False]


@pytest.mark.parametrize(
    ("glob", "fed", "said"),
    [
        ("norm", True, r"--no-feedback-for 'norm' has no tensor, expected attention.k, attention.q"),
        (
            "attention.q",
            False,
            "there is no error feedback to leave out: found attention.q. --no-feedback-for goes with",
        ),
    ],
)
def test_feedback_that_is_not_there_cannot_be_left_out(glob: str, fed: bool, said: str) -> None:
    """A role that no tensor has, and work without feedback."""
    asked = planned("Q4_K", fed=True)
    aids = {step.source.name: step.aids for step in asked.steps}
    with pytest.raises(UsageError, match=said):
        plan(asked.source, asked.policy, aids=aids, feedback="gptq" if fed else None, no_feedback_for=[glob])


def test_a_role_without_a_hessian_has_no_feedback_to_leave_out() -> None:
    """The tensor is there, its Hessian is not."""
    asked = planned("Q4_K", fed=True)
    aids = {asked.steps[0].source.name: asked.steps[0].aids}
    with pytest.raises(UsageError, match=r"'attention.k' has no tensor with error feedback, expected attention.q"):
        plan(asked.source, asked.policy, aids=aids, feedback="gptq", no_feedback_for=["attention.k"])


# -- what is read


def test_mapped_rows_come_in_runs_and_are_let_go(tmp_path: Path) -> None:
    """All rows, in an order too; what was let go is read again."""
    whole = np.arange(3 * RUN // 4, dtype=np.float32).reshape(-1, 256)
    whole.tofile(tmp_path / "a")
    mapped = np.memmap(tmp_path / "a", np.float32, "r", shape=whole.shape)
    runs = list(runs_of_rows(mapped))
    assert [first for first, _ in runs] == [0, RUN // 1024, 2 * RUN // 1024]
    assert np.array_equal(np.concatenate([rows for _, rows in runs]), whole)
    order = np.arange(len(whole))[::-1]
    assert np.array_equal(np.concatenate([rows for _, rows in runs_of_rows(mapped, order)]), whole[::-1])
    let_go(whole)  # not mapped


def test_a_turned_matrix_is_let_go_when_its_rows_were_read() -> None:
    """The stored matrix is read once for a pass, and again for another one."""
    stored, reads = np.arange(12, dtype=np.float32).reshape(3, 4), []

    def read(matrix: int, first: int, last: int) -> dict[str, Any]:
        reads.append(matrix)
        return {"values": stored[first:last]}

    turned = Turned(read, 3)
    for times in (1, 2):
        rows = [turned.read(0, first, last)["values"] for first, last in ((0, 3), (3, 4))]
        assert np.array_equal(np.concatenate(rows), stored.T)
        assert len(reads) == times
        assert turned._last is None
