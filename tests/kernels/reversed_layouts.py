"""Results of kernels whose descriptors have their fields in order or reversed; run as a program, which prints them.

The arguments are ``declared`` or ``reversed``, then ``results`` or ``team``. With ``reversed``, every layout places its
fields from last to first, before anything else has read an offset.
"""

import importlib
import importlib.util
import json
import sys
from collections.abc import Iterator
from functools import partial
from hashlib import blake2b
from pathlib import Path

NAME = "fourcc.kernels.descriptors"
PLACES = "end, offsets = 0, []"  # where a layout begins to place its fields


def reverse() -> None:
    """Loads the module of the descriptors with one statement more."""
    spec = importlib.util.find_spec(NAME)
    assert spec is not None
    assert spec.origin is not None
    source = Path(spec.origin).read_text(encoding="utf-8")
    assert source.count(PLACES) == 1
    module = importlib.util.module_from_spec(spec)
    sys.modules[NAME] = module
    exec(source.replace(PLACES, f"fields = fields[::-1]; {PLACES}"), module.__dict__)  # noqa: S102 - our own source
    importlib.import_module("fourcc.kernels").descriptors = module  # type: ignore[attr-defined]
    assert module.COUNT > module.OUT > module.X > module.CODES


def products() -> Iterator[tuple[str, bytes]]:
    """Products with one activation, some and many, rows, and what lies beside them."""
    import numpy as np

    from fourcc import compute, encode
    from tests.kernels.random_inputs import normal, numbers

    for tag in ("F32", "BF16", "Q8_0", "Q8_A", "Q8_B", "Q4_A", "Q4_0", "Q4_K", "MXF4", "NF4"):
        q, x = encode(numbers(normal, 1, (5, 256)), tag), numbers(normal, 2, (26, 256))
        for count in (1, 4, 26):
            yield f"{tag} {count}", q.matmul(x[:count], 1).tobytes()
            yield f"{tag} {count} exact", q.matmul(x[:count], 1, exact=True).tobytes()
        yield f"{tag} rows", compute.gather(q.packed, np.array([3, 0, 4])).tobytes()


def coding() -> Iterator[tuple[str, bytes]]:
    """Encoding, decoding and error sums by a kernel."""
    import numpy as np

    from fourcc.compute.coding import _run
    from fourcc.kernels.measuring.error_sums import error_sums, results
    from fourcc.kernels.q8_0 import KERNEL
    from tests.kernels.random_inputs import normal, numbers

    assert KERNEL.encoder is not None
    assert KERNEL.decode is not None
    w, out = numbers(normal, 3, (3, 64)), np.zeros((3, 64), np.float32)
    blocks = np.zeros((3, 2), [("d", "<f2"), ("q", "|i1", (32,))])
    _run(KERNEL.encoder({}), w.shape, [blocks], x=w)
    yield "encoded", blocks.tobytes()
    _run(KERNEL.decode, w.shape, [blocks], out=out)
    yield "decoded", out.tobytes()
    yield "error sums", repr(results(_run(error_sums, w.shape, [], x=w, out=out))).encode()


def layer() -> Iterator[tuple[str, bytes]]:
    """Every step of a transformer's layer, and the probabilities of tokens."""
    import numpy as np

    from fourcc import encode
    from fourcc.compute.buffers import Buffer, Sizes
    from fourcc.compute.layer_steps import AttentionOptions
    from fourcc.compute.programs import Program
    from fourcc.compute.softmax import Softmax

    drawn = partial(np.random.default_rng(4).standard_normal, dtype=np.float32)
    sizes = Sizes(4, 2, 16, 8, 1e-5, 0.3, softcap=2.0)
    x, y, q, k, v, out = buffers = [Buffer(3, width) for width in (64, 64, 64, 32, 32, 64)]
    program = Program(3, sizes, np.array([2]), 1)
    packed = {rows: encode(drawn((rows, 64)), "Q8_0").packed for rows in (32, 64)}
    ones, caches = drawn((3, 512)), sizes.caches(1)[0]
    for cache in caches:
        cache[:] = drawn(len(cache))
    program.gather(packed[64], np.array([1, 63, 5]), x)
    program.norm(x, ones[0], y)
    program.product(y, [(packed[64], q), (packed[32], k), (packed[32], v)])
    program.norm_heads(ones[1], q)
    program.norm_heads(ones[1], k, kind="layer", of_each=True)
    program.bias(ones[2], k)
    program.attend(q, k, v, caches, out, AttentionOptions(drawn((8, 8)), 4, sinks=ones[2]))
    program.add(x, out)
    program.add_scaled(y, out, 0.5)
    program.norm(out, ones[0], out, kind="layer", bias=ones[1])
    program.gate(out, q, y)
    program.activate("gelu", y, None, y)
    program.activate("gelu_tanh", y, q, y)
    program.clamped_gate(y, out, y, limit=0.5, alpha=1.7)
    program.scale(y, 3)
    program.soft_cap(y, 2)
    program.norm(y, ones[0], x, only_last=True)
    program.run()
    for number, buffer in enumerate(buffers):
        used = buffer.floats[:, : buffer.width]
        assert np.isfinite(used).all()
        yield f"buffer {number}", used.tobytes()
    yield "probabilities", Softmax(20, 0.7)(drawn(20)).tobytes()


def team() -> Iterator[tuple[str, bytes]]:
    """Jobs and programs of a team of threads, in compiled code."""
    import numpy as np

    from fourcc.kernels.compiler import jit
    from fourcc.kernels.measuring import roofline
    from fourcc.kernels.threads.thread_team import Split, Team
    from tests.kernels.test_steps import double, table
    from tests.kernels.test_team import count_rows

    threads = Team(3)
    words, others = np.zeros(100, np.int64), np.zeros(100, np.int64)
    for _ in range(50):
        threads.run(jit.compiled(count_rows), words, words, Split(100, 7, 64))
    assert words.tolist() == [50] * 100
    steps = [(count_rows, words, words, 100, 7), (double, words, words, 100, 100), (double, words, words, 100, 9)]
    threads.run_program(table(*steps), 64)
    assert words.tolist() == [204] * 100
    rotation = roofline.rotation(jit.compiled(count_rows), [words] * 2, [words, others], 100, 112)
    threads.run(jit.compiled(roofline.rotate), rotation, rotation, Split(224, 50, 64))
    yield "words", np.concatenate([words, others]).tobytes()
    assert words.tolist() + others.tolist() == [205] * 100 + [1] * 100


def main(order: str, what: str) -> None:
    """Prints the digest of each result, as JSON."""
    if order == "reversed":
        reverse()
    sources = (team,) if what == "team" else (products, coding, layer)
    found = {name: blake2b(data, digest_size=8).hexdigest() for each in sources for name, data in each()}
    sys.stdout.write(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])
