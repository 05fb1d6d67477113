"""torch: products of float32, bfloat16 and int8 on the CPU. Its int8 product neither scales nor quantizes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from importlib import import_module
from typing import Any

from fourcc.bench.matrices import activations
from fourcc.bench.peers.peer import Candidate, Coder, PeerSubject, absent
from fourcc.bench.products import MANY, shortened
from fourcc.bench.timing import Series

# Type of the stored weights -> ggml's id of the nearest format.
KINDS = {"float32": 0, "bfloat16": 30, "int8": 8}


class Torch:
    """The peer."""

    name = "torch"
    package = "torch"

    def missing(self) -> str | None:
        """Why it cannot be measured."""
        return absent("torch")

    def products(self, subject: PeerSubject) -> Iterator[Candidate]:
        """Products of each type of weights whose nearest format is measured."""
        torch: Any = import_module("torch")
        for kind, nearest in KINDS.items():
            matrix = subject.foreign("ggml", nearest)
            if matrix is None:
                continue
            first = _stored(torch, subject.values(), kind)
            nbytes = first.numel() * first.element_size()
            weights = [first.clone() for _ in range(subject.copies(nbytes))]
            for count in subject.counts:
                some = weights[: shortened(len(weights), first.numel(), count)]
                work = _work(torch, _stored(torch, activations(count, subject.cols), kind), some)
                for threads in subject.threads:
                    series = Series(
                        f"torch {kind} {subject.rows} x {subject.cols}, n = {count}, {threads} threads",
                        work,
                        ready=partial(torch.set_num_threads, threads),
                        repeats=3 if count < MANY else 1,
                    )
                    yield Candidate(kind, str(matrix.tag), count, threads, len(some), series)

    def coders(self, subject: PeerSubject) -> Iterator[Coder]:  # noqa: ARG002 - a peer's signature
        """No coding: torch has no blocks."""
        return iter(())


def _stored(torch: Any, values: Any, kind: str) -> Any:  # noqa: ANN401 - no types
    tensor = torch.from_numpy(values)
    if kind == "int8":
        return (tensor * (127 / tensor.abs().max())).round().to(torch.int8)
    return tensor.to(getattr(torch, kind))


def _work(torch: Any, x: Any, weights: list[Any]) -> Callable[[], None]:  # noqa: ANN401 - no types
    """A function that computes all products."""

    def floats() -> None:
        with torch.inference_mode():
            for each in weights:
                torch.nn.functional.linear(x, each)

    def integers() -> None:
        with torch.inference_mode():
            for each in weights:
                torch._int_mm(x, each.t())  # noqa: SLF001 - torch has no public one

    return integers if x.dtype == torch.int8 else floats


PEER = Torch()
