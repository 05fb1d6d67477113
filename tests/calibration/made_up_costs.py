"""Costs of a model that nobody measured: true shapes and bytes, made-up damage."""

from collections.abc import Mapping, Sequence
from math import prod

import attrs
import numpy as np

from fourcc.calibration.costs import Costs, FixedTensor, Option, Unit, by_size
from fourcc.conversion.plan import describe
from fourcc.plugins.registry import registry
from fourcc.settings import complete
from fourcc.sources.source import Source
from tests.core.test_conversion import normal, source

TAGS = ("Q2_K", "Q3_K", "Q4_0", "Q4_K", "Q5_0", "Q6_K", "Q8_0")


def small_model() -> Source:
    """Three layers whose rows fit super-blocks, with a tied embedding; in memory."""
    shapes = {"tok_embeddings": (512, 256), "norm": (256,)}
    for number in range(3):
        kinds = {"attention_norm": (256,), "attention.wq": (256, 256), "attention.wk": (64, 256)}
        kinds |= {"attention.wv": (64, 256), "feed_forward.w2": (256, 768)}
        shapes |= {f"layers.{number}.{name}": shape for name, shape in kinds.items()}
    opened = source({name: normal(*shape, seed=k) for k, (name, shape) in enumerate(shapes.items())})
    return attrs.evolve(opened, hyper={"tied_embeddings": True})


def made_up(
    opened: Source,
    tags: Sequence[str] = TAGS,
    *,
    seed: int = 0,
    seconds: bool = True,
    model: str = "0" * 32,
    calibration: str | None = None,
    weights: Mapping[str, float] | None = None,
) -> Costs:
    """Costs of each matrix of a source in each format that fits it.

    Args:
        opened: the model.
        tags: of the options.
        seed: of the units' sensitivities, which are lognormal.
        seconds: whether the costs have seconds; each is in proportion to the bytes, and some formats are slow.
        model: its digest.
        calibration: digest of the calibration.
        weights: name -> sensitivity, in place of a drawn one.
    """
    rng = np.random.default_rng(seed)
    tied = bool(opened.hyper.get("tied_embeddings", False))
    units, fixed = [], []
    for tensor in opened.tensors:
        options = []
        damage = (weights or {}).get(tensor.name, float(np.exp(rng.standard_normal())))
        for number, tag in enumerate(tags if len(tensor.shape) > 1 else ()):
            fmt = registry[tag]
            params = complete(fmt.params, {})
            if fmt.misfit(tensor.shape, params) is not None:
                continue
            nbytes = fmt.stored_bytes(tensor.shape, params)
            error = damage * 4.0 ** -float(fmt.bits_per_weight()) * float(rng.uniform(0.8, 1.2))
            time = nbytes * (3e-10 if number % 3 == 1 else 1e-10) if seconds else None
            options.append(Option(fmt.tag, params, complete(fmt.options, {}), nbytes, error, error, time))
        if options:
            roles = describe(tensor, tied=tied).roles
            units.append(Unit(tensor.name, (tensor.name,), roles, (tensor.shape,), (0,), by_size(options)))
        else:
            fixed.append(FixedTensor(tensor.name, tensor.tag, 4 * prod(tensor.shape)))
    return Costs(
        fourcc="0.1.0",
        machine="avx2",
        model=model,
        calibration=calibration,
        text="c" * 64,
        tokens=2000,
        context=128,
        documents=True,
        feedback=None,
        units=tuple(units),
        fixed=tuple(fixed),
    )
