"""A small grammar of children's stories: the same seed gives the same stories, on the standard library alone."""

import argparse
import math
import random
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

from friend_plots import AFRAID, ASTRAY, HURT, INSIDE, LEARN, NEST
from plots import MORALS, OPENINGS, Plot, Templates
from thing_plots import BROKEN, GIFT, LOST, SHARE, STUCK
from words import ANIMALS, BOYS, GIRLS, WORDS, Noun, Verb

PLOTS: tuple[Plot, ...] = (LOST, STUCK, BROKEN, SHARE, GIFT, AFRAID, HURT, ASTRAY, LEARN, INSIDE, NEST)
MAX_CHARS = 380
T = TypeVar("T")


class Dice:
    """A seeded random choice that adds up how many nats its choices were worth."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)
        self.nats = 0.0

    def pick(self, options: Sequence[T]) -> T:
        """One of the options, all equally likely."""
        self.nats += math.log(len(options))
        return options[int(self._random.random() * len(options))]


@dataclass(frozen=True)
class Person:
    """Somebody in a story: the name, the word for such a child, and the pronouns."""

    name: str
    child: str
    he: str
    him: str
    his: str

    def __str__(self) -> str:
        return self.name

    @property
    def He(self) -> str:  # noqa: N802 - templates write the capital
        """The pronoun at the start of a sentence."""
        return self.he.capitalize()

    @property
    def His(self) -> str:  # noqa: N802 - as above
        """The possessive at the start of a sentence."""
        return self.his.capitalize()


class Slots(dict[str, Person | str | Verb | Noun]):
    """The values of one story's slots, each drawn when a template first asks for it, and then kept."""

    def __init__(self, dice: Dice) -> None:
        super().__init__()
        self._dice = dice

    def __missing__(self, slot: str) -> Person | str | Verb | Noun:
        if slot in ("hero", "pal"):
            return self.setdefault(slot, self._person(slot))
        if slot.endswith("_kind"):
            return self.setdefault(slot, self._kind(slot))
        return self.setdefault(slot, self._dice.pick(WORDS[self._home() if slot == "home" else slot]))

    def _person(self, slot: str) -> Person:
        """A girl or a boy (or an animal with such a name) that is not the story's other person."""
        other = str(self.get("pal" if slot == "hero" else "hero", ""))
        is_girl = self._dice.pick((True, False))
        name = self._dice.pick([name for name in (GIRLS if is_girl else BOYS) if name != other])
        return Person(name, *(("girl", "she", "her", "her") if is_girl else ("boy", "he", "him", "his")))

    def _kind(self, slot: str) -> str:
        """The kind of person in this slot: half are children, half animals."""
        person = self[slot.removesuffix("_kind")]
        assert isinstance(person, Person)
        return person.child if self._dice.pick((True, False)) else self._dice.pick(ANIMALS)

    def _home(self) -> str:
        """The list of homes that suits the hero."""
        return "den" if self["hero_kind"] in ANIMALS else "house"


@dataclass(frozen=True)
class Story:
    """A story's text, and the nats of the choices that made it (its grammar's surprise)."""

    text: str
    nats: float


def tell(dice: Dice) -> Story:
    """One story: opening, setup, problem, turn, ending and a last line."""
    start, slots, plot = dice.nats, Slots(dice), dice.pick(PLOTS)
    parts: tuple[Templates, ...] = (OPENINGS, plot.setup, plot.problem, plot.turn, plot.ending, MORALS)
    text = " ".join(_expand(dice.pick(part), dice, slots) for part in parts)
    return Story(re.sub(r"\b([Aa]) (?=[aeiou])", r"\1n ", text), dice.nats - start)


def _expand(template: str, dice: Dice, slots: Slots) -> str:
    """The template with its choices made and its slots filled."""
    chosen = re.sub(r"\[(.+?)\]", lambda match: dice.pick(match[1].split("|")), template)
    return chosen.format_map(slots)


def stories(seed: int) -> Iterator[Story]:
    """An endless stream of stories of at most `MAX_CHARS` characters."""
    dice = Dice(seed)
    while True:
        story = tell(dice)
        if len(story.text) <= MAX_CHARS:
            yield story


def main() -> None:
    """Print a few stories."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--count", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    for story in islice(stories(args.seed), args.count):
        print(f"{story.text}\n")


if __name__ == "__main__":
    main()
