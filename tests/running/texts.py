"""Texts that tokenizers are tried on."""

from hypothesis import strategies as st

WORDS = ["Once upon a time", " ", "  ", "\n", "\t", "don't", "I'LL", "1234", "½", "Ⅷ", "日本語", "한국어", "Привет"]
ODD = [
    "🙂",
    "👩‍👩‍👧",
    "é",
    "e\u0301",
    "\u00a0",
    "\u2581",
    "\u3000",
    "\r\n",
    "\x00",
    "\ufeff",
    "<0x41>",
    "<s>",
    "x^2+$y",
    "\ufffd",
]
TEXTS = st.lists(st.sampled_from(WORDS + ODD) | st.text(max_size=6), max_size=8).map("".join)
