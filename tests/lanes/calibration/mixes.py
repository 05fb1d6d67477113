"""Random mixes of formats of a given size, which an allocation must beat."""

import random
from collections.abc import Mapping

from fourcc.calibration.costs import Costs, Unit
from fourcc.policy import Row, explicit

Mix = dict[str, int]  # the number of the option of each unit


def random_mix(costs: Costs, nbytes: int, protected: Mapping[str, int], seed: int) -> Mix:
    """A random option for each unit, brought to a size by random steps down, then up where they fit.

    Args:
        costs: the units and their options, fewest bytes first.
        nbytes: of all units together, at most.
        protected: units whose option is given.
        seed: of the random numbers.
    """
    chance = random.Random(seed)
    units = {unit.name: unit for unit in costs.units}
    mix = {name: protected.get(name, chance.randrange(len(unit.options))) for name, unit in units.items()}
    free = [name for name in units if name not in protected]
    while size(units, mix) > nbytes:
        name = chance.choice([name for name in free if mix[name] > 0])
        mix[name] -= 1
    for name in chance.sample(free * 8, 8 * len(free)):
        larger = {**mix, name: mix[name] + 1}
        if larger[name] < len(units[name].options) and size(units, larger) <= nbytes:
            mix = larger
    return mix


def size(units: Mapping[str, Unit], mix: Mix) -> int:
    """Bytes of a mix."""
    return sum(units[name].options[number].nbytes for name, number in mix.items())


def policy_of(costs: Costs, mix: Mix) -> str:
    """The text of the policy that carries a mix out; tensors without options stay as they are stored."""
    rows = []
    for unit in costs.units:
        option = unit.options[mix[unit.name]]
        rows += [Row(name, option.tag, option.params, option.options) for name in unit.tensors]
    rows += [Row(each.name, each.tag, {}, {}, keep=True) for each in costs.fixed]
    return explicit(rows).text
