"""The shape of a plot, the openings and the last lines, for every story.

A template holds choices `[this|that]` and slots `{hero}`, `{hero.he}`, `{toy}`: a slot keeps its value through
one whole story, so a name, a pronoun or a thing never changes half-way.
"""

from dataclasses import dataclass

Templates = tuple[str, ...]


@dataclass(frozen=True)
class Plot:
    """One kind of story: what the hero has, what goes wrong, who helps, and how it ends."""

    setup: Templates
    problem: Templates
    turn: Templates
    ending: Templates


OPENINGS: Templates = (
    "Once upon a time, there was a {trait} {hero_kind} named {hero}. {hero.He} lived {home}.",
    "Once upon a time, there was a {trait} {hero_kind}. {hero.His} name was {hero}.",
    "Once upon a time, a {trait} {hero_kind} named {hero} lived {home}.",
    "{hero} was a {trait} {hero_kind} who lived {home}.",
    "There was once a {trait} {hero_kind} named {hero}.",
    "{hero} the {hero_kind} and {pal} the {pal_kind} were [good|best|old] friends.",
    "Once upon a time, there were two friends, {hero} and {pal}. {hero} was a {hero_kind} and {pal} was a {pal_kind}.",
)

MORALS: Templates = (
    "From that day on, {hero} and {pal} were [best|good] friends.",
    "They [laughed|smiled] and {game.past} [all day|until night|together].",
    "Then they went home and ate {food.many}.",
    "{hero} learned that it is good to [share|help|ask for help|be kind].",
    "The end.",
)
