"""Probe texts: what two tokenizers are given to see whether they cut alike.

They are made here, by a rule and always the same: runs of characters of every kind, pairs of kinds, words of many
scripts, numbers, endings of English words, code, runs of spaces and line ends, emoji, combining marks, and mixtures of
all of them. All characters are older than Unicode 12, so that programs with other versions agree what they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import product

PROBES = 5000

# One or two characters of each kind that some rule tells from others.
_KINDS = (
    *"aZsé", "É", "ß", "ſ", "ǅ", "ʰ", "ª", "ж", "Щ", "Ω", "ა", "Ა", "ℂ", "𝐀",  # letters with cases
    *"字々〇かアㄅ한ㅎ", "ไ", "ກ", "ក", "က", "न", "א", "م", "ƻ", "𠀀",  # letters without
    "\u0301", "\u20dd", "\u093e", "\u3099",  # marks
    *"07", "٣", "೩", "𝟗", "Ⅷ", "²", "½", "㉛",  # numbers
    *".,!?'\"-_/\\()[]{<|~`^$+=@#%&*:;", "…", "。", "、", "।", "،", "’", "“", "—", "！", "～", "〈",  # marks of writing
    "€", "©", "→", "±", "˄", "🙂", "👩\u200d💻", "🇩🇪", "☎\ufe0f", "👍🏽",  # symbols
    " ", "  ", "\t", "\n", "\r", "\r\n", "\n\n", "\v", "\u0085", "\u00a0", "\u2009", "\u2028", "\u3000",  # spaces
    "\u0001", "\u200b", "\ufeff", "\u00ad", "\ue000",  # controls, invisible ones, private use
)  # fmt: skip
_WORDS = """
    the Quick BROWN foX iPhone don't DON'T we'll they'RE I'm it's I'd you've o'clock 'tis 'ſt naïve café Ångström
    straße ПРИВЕТ мир Ελλάδα Ἀθῆναι շուն საქართველო 日本語 中文字 ひらがな カタカナ 한국어 ไทย ລາວ ខ្មែរ မြန်မာ
    हिन्दी বাংলা தமிழ் עברית العربية አማርኛ ᏣᎳᎩ i̇stanbul Việt ế 0 42 1234567 3.14 1,000,000 ٤٢ 2² ½ x1 1x 2nd 0x1F
    1e-9 IPv6 def f(x) a[i] i++ != -> </s> <|x|> {} [[ \\n :// @me #1 $5 100% C++ snake_case camelCase README.md ...
    ?! -- ___ === “q” 🙂 👩\u200d💻 🇩🇪🇫🇷 ☎\ufe0f → ≤ e=mc² \u200b \ufeff \ue000 cafe\u0301 e\u0302\u0301
""".split()  # noqa: SIM905 - to be read
_GAPS = (" ", " ", " ", "", "  ", "   ", "\n", "\n\n", " \n", "\n ", "\t", "\r\n", "\t\t", "    ", "\n    ", "\u00a0")


@cache
def probe_texts() -> tuple[str, ...]:
    """The probe texts: `PROBES` of them, no two alike."""
    texts = dict.fromkeys(_all())
    return tuple(texts)[:PROBES]


def _all() -> Iterator[str]:
    """More texts than are wanted: the fixed ones, then mixtures without an end worth reaching."""
    yield ""
    yield from (kind * count for kind in _KINDS for count in (1, 2, 3, 4, 7))
    yield from _sentences(_Numbers(1), 1500)
    numbers = _Numbers(2)
    pairs = list(product(_KINDS, repeat=2))
    # Each pair between two others, so that what comes before and behind is told apart, too.
    yield from (f"{numbers.one_of(_KINDS)}{one}{two}{numbers.one_of(_KINDS)}" for one, two in numbers.some(pairs, 2200))
    yield from ("".join(numbers.one_of(_KINDS) for _ in range(3 + numbers.below(18))) for _ in range(2000))


def _sentences(numbers: _Numbers, count: int) -> Iterator[str]:
    """Words with gaps between them."""
    for _ in range(count):
        words = (numbers.one_of(_WORDS) + numbers.one_of(_GAPS) for _ in range(1 + numbers.below(9)))
        yield numbers.one_of(_GAPS) * numbers.below(2) + "".join(words)


class _Numbers:
    """Whole numbers that look random and never change: x -> 6364136223846793005 x + 1442695040888963407, upper bits."""

    def __init__(self, seed: int) -> None:
        self._state = seed

    def below(self, limit: int) -> int:
        self._state = (6364136223846793005 * self._state + 1442695040888963407) % (1 << 64)
        return (self._state >> 33) % limit

    def one_of(self, items: Sequence[str]) -> str:
        return items[self.below(len(items))]

    def some(self, items: list[tuple[str, str]], count: int) -> list[tuple[str, str]]:
        """So many of the items, spread evenly, from a place that the numbers choose."""
        first = self.below(len(items))
        return [items[(first + at * len(items) // count) % len(items)] for at in range(count)]
