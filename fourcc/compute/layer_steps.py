"""The steps of a layer beside its products: norms, sums, activation functions, attention."""

from __future__ import annotations

from typing import TYPE_CHECKING

import attrs
import numpy as np

from fourcc.compute.step_table import StepTable
from fourcc.kernels.descriptors import LAYER_JOB, MODEL, address
from fourcc.kernels.transformer import activations, attention, norms, rotation, sums

if TYPE_CHECKING:
    from fourcc.arrays import Array, Floats
    from fourcc.compute.buffers import Buffer, Sizes

NORMS = {"rms": norms.norm, "layer": norms.layer_norm}
HEAD_NORMS = {"rms": norms.norm_heads, "layer": norms.layer_norm_heads}
KERNELS = (
    *(attention.attend, attention.attend_capped, rotation.rotate),
    *(*NORMS.values(), *HEAD_NORMS.values()),
    *(sums.add_to, sums.add_scaled, sums.add_bias, sums.scale, sums.soft_cap),
    *(*activations.PLAIN.values(), *activations.GATED.values(), activations.clamped_gate),
)


@attrs.frozen(eq=False)
class AttentionOptions:
    """How a layer attends.

    Attributes:
        rotation: float32 (context, turned): half cosines, half sines of the first columns of a head; the others are not
            rotated.
        window: the last positions, an activation's own among them, that it sees; None: all.
        sinks: float32, a score of each head that has no position, and takes a share of the weights; None: none.
    """

    rotation: Floats
    window: int | None = None
    sinks: Floats | None = None


class LayerSteps(StepTable):
    """Steps over some activations; each appends a kernel that runs with the others.

    Weights and biases are float32 with zeros behind them up to a buffer's width.

    Args:
        count: how many activations.
        sizes: of the model.
        position: int64 (1,): the first activation's position.
        threads: how many.

    Attributes:
        count: how many activations.
    """

    def __init__(self, count: int, sizes: Sizes, position: Array, threads: int) -> None:
        super().__init__(threads)
        self.count, self._sizes, self._position = count, sizes, position
        self._kept.append(position)

    # -- norms

    def norm(
        self,
        x: Buffer,
        weight: Floats,
        out: Buffer,
        *,
        kind: str = "rms",
        bias: Floats | None = None,
        only_last: bool = False,
    ) -> None:
        """The norm of each activation, or of the last one only; `out` may be `x`.

        Args:
            x: the activations.
            weight: what the normed activations are multiplied by.
            out: where they go.
            kind: ``rms`` (RMSNorm) or ``layer`` (LayerNorm).
            bias: of a layer norm; None: it has none.
            only_last: only the last activation, into the first row.
        """
        skipped = self.count - 1 if only_last else 0
        job, model = self._job(x, None, out), self._model(x.width, weight)
        LAYER_JOB.write(job, input=x.address + skipped * x.stride)
        if kind == "layer":
            bias = np.zeros_like(weight) if bias is None else bias
            MODEL.write(model, bias=address(bias))
            self._kept.append(bias)
        self._add(NORMS[kind], model, job, self.count - skipped)

    def norm_heads(self, weight: Floats, out: Buffer, *, kind: str = "rms", of_each: bool = False) -> None:
        """The norm of each head, in place.

        Args:
            weight: of one head, which all share, or of all of them one behind the other.
            out: the heads.
            kind: as in `norm`; a layer norm has no bias.
            of_each: whether each head has weights of its own.
        """
        model = self._model(out.width, weight)
        if of_each:
            MODEL.write(model, weight_stride=4 * self._sizes.head)
        self._add(HEAD_NORMS[kind], model, self._job(None, None, out), self.count)

    # -- sums and products with a number

    def add(self, x: Buffer, out: Buffer) -> None:
        """out + x, into out."""
        self._add(sums.add_to, self._model(out.width), self._job(x, None, out), self.count)

    def add_scaled(self, x: Buffer, out: Buffer, factor: float) -> None:
        """out + factor * x, into out."""
        self._add(sums.add_scaled, self._model(out.width, factor=factor), self._job(x, None, out), self.count)

    def bias(self, weight: Floats, out: Buffer, count: int | None = None) -> None:
        """out + weight, into out; of the first `count` activations."""
        count = self.count if count is None else count
        self._add(sums.add_bias, self._model(out.width, weight), self._job(None, None, out), count)

    def scale(self, out: Buffer, factor: float, count: int | None = None) -> None:
        """factor * out, into out; of the first `count` activations."""
        count = self.count if count is None else count
        self._add(sums.scale, self._model(out.width, factor=factor), self._job(None, None, out), count)

    def soft_cap(self, out: Buffer, cap: float, count: int | None = None) -> None:
        """cap * tanh(out / cap), into out; of the first `count` activations."""
        count = self.count if count is None else count
        self._add(sums.soft_cap, self._model(out.width, softcap=cap), self._job(None, None, out), count)

    # -- activation functions

    def gate(self, x: Buffer, y: Buffer, out: Buffer) -> None:
        """SwiGLU: silu(x) * y."""
        self.activate("silu", x, y, out)

    def activate(self, function: str, x: Buffer, y: Buffer | None, out: Buffer, count: int | None = None) -> None:
        """A function of x, times y where there is one.

        Args:
            function: ``silu``, ``gelu_tanh``, ``gelu`` or ``relu``.
            x: the activations.
            y: what the results are multiplied by.
            out: where they go; it may be x or y.
            count: rows; None: one for each activation.
        """
        kernel = (activations.PLAIN if y is None else activations.GATED)[function]
        self._add(kernel, self._model(x.width), self._job(x, y, out), self.count if count is None else count)

    def clamped_gate(
        self, x: Buffer, y: Buffer, out: Buffer, *, limit: float, alpha: float, count: int | None = None
    ) -> None:
        """The gate of gpt-oss: a sigmoid(alpha a) (b + 1), of a = x up to the limit, b = y within +-limit."""
        model = self._model(x.width, limit=limit, factor=alpha)
        self._add(activations.clamped_gate, model, self._job(x, y, out), self.count if count is None else count)

    # -- attention

    def attend(
        self,
        q: Buffer,
        k: Buffer,
        v: Buffer,
        caches: tuple[Floats, Floats],
        out: Buffer,
        options: AttentionOptions,
    ) -> None:
        """Rotation of q and k, then attention over the positions up to each activation's own.

        Args:
            q: queries, which are rotated in place.
            k: keys.
            v: values.
            caches: of keys and values; those of these activations are added to them.
            out: the means of the values.
            options: of this layer.
        """
        table = options.rotation
        model = self._model(q.width, turned=table.shape[1], rotation=address(table))
        self._kept.append(options)
        self._add(rotation.rotate, model, self._job(k, v, q, caches), self.count)
        unit, beside = self._together()
        window = attention.EVERYTHING if options.window is None else options.window
        MODEL.write(model, unit=unit, beside=beside, count=self.count, window=window)
        MODEL.write(model, softcap=self._sizes.softcap, sinks=0 if options.sinks is None else address(options.sinks))
        units = self._sizes.heads // unit * -(-self.count // beside)
        scratch = unit * beside * attention.place_of(self._sizes.head)
        kernel = attention.attend_capped if self._sizes.softcap else attention.attend
        self._add(kernel, model, self._job(q, None, out, caches), units, scratch, 1)

    def _together(self) -> tuple[int, int]:
        """Heads, and activations, that go through the keys together; fewer if threads would be left without work."""
        sizes, enough = self._sizes, 2 * self._team.threads
        group = sizes.heads // sizes.kv_heads
        fitting = [unit for unit in range(1, group + 1) if group % unit == 0 and unit <= attention.TOGETHER]
        unit = next((each for each in reversed(fitting) if self.count * sizes.heads // each >= enough), 1)
        return unit, max(1, attention.TOGETHER // unit)

    # -- descriptors

    def _model(self, width: int, weight: Floats | None = None, **values: float) -> Array:
        sizes = self._sizes
        model = MODEL.record(
            width=width,
            heads=sizes.heads,
            kv_heads=sizes.kv_heads,
            head=sizes.head,
            context=sizes.room,
            epsilon=sizes.epsilon,
            scale=1 / np.sqrt(sizes.head) if sizes.scale is None else sizes.scale,
            **values,
        )
        if weight is not None:
            MODEL.write(model, weight=address(weight))
            self._kept.append(weight)
        return model

    def _job(
        self, x: Buffer | None, y: Buffer | None, out: Buffer, caches: tuple[Floats, Floats] | None = None
    ) -> Array:
        job = LAYER_JOB.record(output=out.address, output_stride=out.stride, position=address(self._position))
        if x is not None:
            LAYER_JOB.write(job, input=x.address, input_stride=x.stride)
        if y is not None:
            LAYER_JOB.write(job, second=y.address, second_stride=y.stride)
        if caches is not None:
            keys, values = caches
            LAYER_JOB.write(job, keys=address(keys), values=address(values))
        self._kept += [x, y, out, caches]
        return job
