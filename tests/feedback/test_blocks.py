"""Error feedback from block to block, for a format whose codes decide more than one weight."""

import attrs
import numpy as np
import pytest

import fourcc
from fourcc import Array, Blocks, Format, Parts, packed, per_block, per_row
from fourcc.errors import PluginError
from fourcc.feedback.blocks import can_feed_blocks
from fourcc.feedback.feedback import Feedback
from fourcc.feedback.way import way_of
from fourcc.geometry import Geometry
from fourcc.plugins.registry import registry
from tests.core.fakes import installed
from tests.feedback.hessians import hessian, output_error

WIDTH = 4


def decode_block(scale: Array, codes: Array, weights: Array) -> None:
    """The lowest bit of a code adds half a step to the weight before."""
    for k in range(WIDTH):
        weights[k] = scale * (codes[k] - 8 + (codes[(k + 1) % WIDTH] & 1) * 0.5)


def encode(blocks: Blocks) -> Parts:
    """The best of all rings whose codes are next to the weights."""
    scale = (np.abs(blocks.w).max(axis=1) / 7 + 1e-9).astype(np.float32)
    unit = blocks.w / scale[:, None]
    choices = np.stack(np.meshgrid(*[[0, 1]] * WIDTH, indexing="ij"), axis=-1).reshape(-1, WIDTH)
    rings = (np.floor(unit).astype(np.int64)[:, None] + choices + 8).clip(0, 15)  # (blocks, 16, 4)
    off = unit[:, None] - (rings - 8 + (np.roll(rings, -1, axis=2) & 1) * 0.5)
    best = np.square(off).cumsum(axis=2)[..., -1].argmin(axis=1)
    return {"scale": scale, "codes": rings[np.arange(len(unit)), best]}


RINGS = Format(
    tag="Ring",
    summary="rings of codes",
    block=WIDTH,
    parts=(per_block("scale", "f4"), packed("codes", bits=4)),
    short_block=False,
    encode=encode,
    decode_block=decode_block,
)


def weights(rows: int, cols: int) -> Array:
    return np.random.default_rng(4).standard_normal((rows, cols)).astype(np.float32)


def block_targets(w: Array, decoded: Array, h: Array) -> Array:
    """The best targets of blocks, from an inverse: the unconstrained optimum after the blocks before each.

    With fixed errors E_J of the blocks J before, and free ones of the blocks R from B on, tr(E H E^T) is least for the
    errors -E_J H_JR (H_RR)^-1: these, cut to B, are added to W_B.
    """
    cols = w.shape[1]
    damped = h.astype(np.float64) + 0.01 * h.diagonal().astype(np.float64).mean() * np.eye(cols)
    error, targets = decoded.astype(np.float64) - w, w.astype(np.float64).copy()
    for left in range(WIDTH, cols, WIDTH):
        pull = error[:, :left] @ damped[:left, left:]
        targets[:, left:] = w[:, left:] - pull @ np.linalg.inv(damped[left:, left:])
    return targets


def test_each_block_is_encoded_from_the_best_target() -> None:
    """Against the optimum that an inverse gives."""
    rows, cols = 6, 6 * WIDTH
    w, h = weights(rows, cols), hessian(cols)
    with installed(RINGS):
        made = fourcc.encode(w, "Ring", aids=fourcc.Aids(None, h), feedback="gptq")
        again = fourcc.encode(block_targets(w, made.decode(), h).astype(np.float32), "Ring")
    assert np.array_equal(made.parts["codes"], again.parts["codes"])
    assert np.abs(made.parts["scale"] - again.parts["scale"]).max() < 1e-5


def test_it_costs_less() -> None:
    w, h = weights(30, 64), hessian(64)
    with installed(RINGS):
        assert way_of(RINGS, Geometry(30, 64), {}) == "blocks"
        plain, fed = (fourcc.encode(w, "Ring", aids=fourcc.Aids(None, h), feedback=each) for each in (None, "gptq"))
        costs = [output_error(each.decode().astype(np.float64) - w, h) for each in (plain, fed)]
    assert costs[1] < 0.95 * costs[0]


def test_an_order_by_activity_does_not_cut_blocks() -> None:
    """Blocks are neighbouring columns, so columns are taken as they are."""
    w, h = weights(5, 32), hessian(32)
    with installed(RINGS):
        made = [
            fourcc.encode(w, "Ring", aids=fourcc.Aids(None, h), feedback=Feedback(order=order)).parts["codes"].tobytes()
            for order in ("activity", "columns")
        ]
    assert made[0] == made[1]


@pytest.mark.parametrize(
    ("fmt", "cols", "can"),
    [
        (RINGS, 2 * WIDTH, True),
        (RINGS, WIDTH, False),  # one block: nothing comes before it
        (registry["F16"], 64, False),  # a block of one weight, exact but for rounding
        (registry["Q8_0"], 64, True),
    ],
)
def test_what_can_take_it(fmt: Format, cols: int, can: bool) -> None:
    assert can_feed_blocks(fmt, Geometry(3, cols)) == can


def test_a_part_of_the_row_keeps_blocks_together() -> None:
    fmt = Format(
        tag="Rows",
        summary="scales of rows",
        block=WIDTH,
        parts=(per_row("scale", "f4"), packed("codes", bits=4)),
        encode=encode,
        decode_block=decode_block,
    )
    assert not can_feed_blocks(fmt, Geometry(3, 64))


def test_an_encoder_that_breaks_its_contract_is_named() -> None:
    def broken(blocks: Blocks) -> Parts:
        made = encode(blocks)
        return made if blocks.geom.rows == 1 else {"scale": made["scale"]}

    with installed(attrs.evolve(RINGS, encode=broken)), pytest.raises(PluginError, match="encode of the format Ring"):
        fourcc.encode(weights(3, 16), "Ring", aids=fourcc.Aids(None, hessian(16)), feedback="gptq")
