"""The words of the story grammar: people, animals, things, places, feelings and verbs with their forms."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Verb:
    """One action in the three forms that the stories use."""

    base: str
    past: str
    ing: str

    def __str__(self) -> str:
        return self.base


@dataclass(frozen=True)
class Noun:
    """One thing in singular and plural."""

    one: str
    many: str

    def __str__(self) -> str:
        return self.one


GIRLS = ("Lily", "Mia", "Anna", "Bella", "Ella", "Sara", "Tina", "Molly", "Nora", "Lucy", "Daisy", "Penny")
BOYS = ("Tom", "Ben", "Sam", "Tim", "Max", "Leo", "Dan", "Finn", "Bob", "Pip", "Oliver", "Teddy")
ANIMALS = ("cat", "dog", "fox", "bear", "rabbit", "duck", "frog", "mouse", "pig", "owl", "turtle", "hen")

Words = dict[str, tuple[str | Verb | Noun, ...]]

WORDS: Words = {
    "trait": ("little", "kind", "happy", "brave", "quiet", "small", "clever", "lazy", "funny", "shy"),
    "house": ("in a small house", "in a red house", "on a big farm", "in a little town", "by the sea"),
    "den": ("in a green forest", "in a hollow tree", "in a fuzzy nest", "in a big barn", "near the river"),
    "toy": ("ball", "kite", "doll", "toy car", "drum", "book", "boat", "hat", "toy train", "teddy bear"),
    "color": ("red", "blue", "green", "yellow", "pink", "white", "shiny", "orange"),
    "spot": ("under the bed", "behind the door", "in the box", "in the garden", "under the table", "by the pond"),
    "find": ("behind a big tree", "in the tall grass", "under a bush", "next to the gate", "on top of a rock"),
    "place": ("the park", "the river", "the forest", "the garden", "the beach", "the hill", "the pond", "the farm"),
    "high": ("in a tall tree", "on the roof", "on a high wall", "on top of the barn"),
    "grown": ("mom", "dad", "grandma", "grandpa"),
    "tool": ("long stick", "ladder", "rope", "net"),
    "glue": ("glue", "tape", "string", "wire"),
    "part": ("leg", "arm", "foot", "knee", "hand"),
    "noise": ("a loud noise", "a strange sound", "a big boom", "a long howl"),
    "source": ("the wind", "an old door", "a quiet owl", "the rain", "a sleepy cow"),
    "weather": ("rain", "snow", "storm"),
    "sad": ("sad", "upset", "worried", "unhappy"),
    "glad": ("happy", "glad", "proud", "very happy", "full of joy"),
    "food": (
        Noun("apple", "apples"),
        Noun("cookie", "cookies"),
        Noun("carrot", "carrots"),
        Noun("cake", "cakes"),
        Noun("berry", "berries"),
        Noun("nut", "nuts"),
        Noun("egg", "eggs"),
        Noun("pie", "pies"),
    ),
    "count": ("two", "three", "four", "five", "six"),
    "game": (
        Verb("run", "ran", "running"),
        Verb("sing", "sang", "singing"),
        Verb("dance", "danced", "dancing"),
        Verb("swim", "swam", "swimming"),
        Verb("draw", "drew", "drawing"),
        Verb("play", "played", "playing"),
        Verb("jump", "jumped", "jumping"),
        Verb("read", "read", "reading"),
    ),
    "skill": (
        Verb("ride a bike", "rode a bike", "riding a bike"),
        Verb("swim", "swam", "swimming"),
        Verb("climb a tree", "climbed a tree", "climbing a tree"),
        Verb("fly a kite", "flew a kite", "flying a kite"),
        Verb("play the drum", "played the drum", "playing the drum"),
        Verb("skip a rope", "skipped a rope", "skipping a rope"),
    ),
    "craft": (
        Verb("bake a cake", "baked a cake", "baking a cake"),
        Verb("build a fort", "built a fort", "building a fort"),
        Verb("paint a picture", "painted a picture", "painting a picture"),
        Verb("make a puppet", "made a puppet", "making a puppet"),
        Verb("sew a pillow", "sewed a pillow", "sewing a pillow"),
    ),
}
