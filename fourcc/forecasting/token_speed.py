"""How many tokens a second a network generates: a token reads all weights that it goes through once."""

from __future__ import annotations

from statistics import median
from typing import TYPE_CHECKING

import attrs

from fourcc.forecasting.figure import Figure
from fourcc.forecasting.network_memory import cache_bytes
from fourcc.rates.shipped import shipped_rates

if TYPE_CHECKING:
    from fourcc.forecasting.known_rates import KnownRates
    from fourcc.forecasting.network_sizes import NetworkMatrix, NetworkSizes

RUN = "run"  # the work whose unit is a second as the table says
REACHED = 0.92  # of the rate at which memory is read, by products
LAYER = 5e-6  # seconds of a layer beside its products, and as long for threads to wait for each other
TOKEN = 25e-6  # seconds of a token beside its layers
LOGIT = 2e-9  # seconds of choosing a token, for each number of the vocabulary
USED = 256  # positions whose keys and values are read: few


@attrs.frozen
class SpeedForecast:
    """Tokens a second.

    Attributes:
        generated: one after the other, while few positions are in use.
        prompt: of a long prompt; None where that is not known, or the network has experts.
        read: bytes of weights that a token reads.
        unknown: tags whose products were never measured; an average stands for them.
    """

    generated: Figure
    prompt: Figure | None
    read: float
    unknown: tuple[str, ...]


def token_speed(network: NetworkSizes, rates: KnownRates) -> SpeedForecast:
    """The speed of a network on `rates.threads` threads."""
    seconds = token_seconds(network, rates)
    ratio = rates.remembered_ratio(RUN)
    if ratio is not None:
        seconds = ratio * seconds.middle
    unknown = sorted({each.tag for each in network.matrices if each.share and each.tag not in shipped_rates().gemv})
    return SpeedForecast(Figure.exact(1).per(seconds), _prompt(network, rates), network.read, tuple(unknown))


def token_seconds(network: NetworkSizes, rates: KnownRates) -> Figure:
    """Seconds of a token by the table of products, and the rate at which this machine's memory is read."""
    sizes = network.architecture
    fixed = rates.scaled(sizes.n_layers * LAYER * (1 + (rates.threads > 1)) + TOKEN + sizes.vocab_size * LOGIT)
    cache = Figure.exact(cache_bytes(sizes, USED)).per(rates.reading)
    total = fixed + cache
    for each in network.matrices:
        if each.share:
            total += _product(each, rates)
    return total


def _product(matrix: NetworkMatrix, rates: KnownRates) -> Figure:
    """Seconds of a product with one activation: what the memory gives, or what the threads calculate."""
    known = shipped_rates().gemv
    rate = known.get(matrix.tag, median(known.values()))
    nbytes = matrix.share * matrix.resident
    read = Figure.exact(nbytes / REACHED).per(rates.reading)
    calculated = rates.scaled(nbytes / (1e9 * rate * rates.threads))
    if matrix.tag not in known:
        calculated = attrs.evolve(calculated, low=calculated.low / 2, high=4 * calculated.high, basis="unknown")
    return read.at_least(calculated)


def _prompt(network: NetworkSizes, rates: KnownRates) -> Figure | None:
    """Tokens a second of a long prompt, by the rates of products with many activations."""
    known = shipped_rates().gemm
    inner = [each for each in network.matrices if each.share]
    if network.architecture.n_experts or not all(each.tag in known for each in inner):
        return None
    seconds = sum(2 * each.weights / (1e9 * known[each.tag] * rates.threads) for each in inner)
    return Figure.exact(1).per(rates.scaled(seconds))
