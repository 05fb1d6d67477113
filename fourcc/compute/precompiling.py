"""Kernels compiled before they are needed: those of some formats, and those of a model's forward pass, on all cores."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import active_children, get_context
from typing import TYPE_CHECKING

import attrs

from fourcc.compute.cache import cache_folder
from fourcc.compute.choosing import kernel_of
from fourcc.errors import OutputError, PluginError
from fourcc.settings import complete

if TYPE_CHECKING:
    from fourcc.format import Format
    from fourcc.kernels.compiler.jit import KernelFunction

FindFormat = Callable[[str], "Format"]
SHARED = ""  # in place of a tag: what models need, whatever their formats


@attrs.frozen
class Needed:
    """A kernel to be compiled, by names that another process can find it by.

    Attributes:
        tag: of its format, or `SHARED`.
        use: what the format needs it for.
        key: of its entry in the cache.
    """

    tag: str
    use: str
    key: bytes


def kernels_of_format(fmt: Format) -> dict[str, KernelFunction]:
    """The kernels of a format by use: those of `q @ x`, a model's run, encoding and decoding by default."""
    from fourcc.kernels.fusing.sparse_rows import add_sparse_products

    kernel = kernel_of(fmt)
    beside = fmt.extra is not None and fmt.turn is not None and kernel.level == "fused"
    encoder = None if kernel.encoder is None else kernel.encoder(complete(fmt.options, {}))
    functions = {
        "encode": encoder,
        "multiply": kernel.tile,
        "gather": kernel.gather,
        "pack": kernel.pack,
        "decode": kernel.decode,
        "prepare": kernel.activation.prepare,
        "extra": add_sparse_products if beside else None,
    }
    return {use: function for use, function in functions.items() if function is not None}


def shared_kernels() -> dict[str, KernelFunction]:
    """The kernels that models' runs and conversions need whatever the formats, by name."""
    from fourcc.compute import layer_steps, mixtures
    from fourcc.kernels.measuring.error_sums import error_sums
    from fourcc.kernels.threads import program, thread_team
    from fourcc.kernels.transformer import sampling

    functions = (
        program.run_steps,
        *thread_team.COMPILED,
        *layer_steps.KERNELS,
        *mixtures.KERNELS,
        sampling.probabilities,
        error_sums,
    )
    return {function.__name__: function for function in functions}


def needed(tags: Sequence[str], find: FindFormat) -> list[Needed]:
    """The kernels of some formats and of all networks, each once; those that take longest to compile come first.

    Args:
        tags: of the formats.
        find: a format by its tag.
    """
    from fourcc.kernels.compiler import object_cache

    named = [(tag, kernels_of_format(find(tag))) for tag in tags]
    listed = [(tag, use, function) for tag, functions in named for use, function in functions.items()]
    order = {"encode": 0, "multiply": 1}
    listed.sort(key=lambda each: order.get(each[1], 2))
    listed += [(SHARED, name, function) for name, function in shared_kernels().items()]
    once: dict[bytes, Needed] = {}
    for tag, use, function in listed:
        key = object_cache.fingerprint(function)
        once.setdefault(key, Needed(tag, use, key))
    return list(once.values())


def missing(kernels: Sequence[Needed]) -> list[Needed]:
    """The kernels that the cache does not hold, or holds damaged."""
    return [each for each in kernels if not _is_kept(each)]


def _is_kept(kernel: Needed) -> bool:
    from fourcc.kernels.compiler import object_cache

    return object_cache.load(kernel.key) is not None


def _check_kept(kernel: Needed) -> None:
    if not _is_kept(kernel):
        raise OutputError("a compiled kernel cannot be kept: the disk may be full", file=cache_folder())


def build(kernels: Sequence[Needed], find: FindFormat, processes: int) -> Iterator[Needed]:
    """Compiles kernels and keeps them; gives each one when it is done.

    Args:
        kernels: from `missing`.
        find: a format by its tag; other processes call it, so it is a function of a module.
        processes: that compile at once.

    Raises:
        PluginError: a kernel cannot be compiled.
        OutputError: one was compiled and is not kept: the disk is full, for example.
    """
    with ProcessPoolExecutor(min(processes, len(kernels)) or 1, get_context("spawn")) as pool:
        started = {pool.submit(_build_one, each.tag, each.use, find): each for each in kernels}
        try:
            for ended in as_completed(started):
                ended.result()
                _check_kept(started[ended])
                yield started[ended]
        except (ValueError, BrokenProcessPool) as error:
            raise PluginError(f"a kernel cannot be compiled: {error}") from error
        except BaseException:  # Ctrl-C: kernels under way are given up, those that are done stay
            for process in active_children():
                process.terminate()
            raise
        finally:
            pool.shutdown(cancel_futures=True)


def _build_one(tag: str, use: str, find: FindFormat) -> None:
    """In a process of the pool."""
    from fourcc.kernels.compiler import jit

    jit.compiled(shared_kernels()[use] if tag == SHARED else kernels_of_format(find(tag))[use])
