r"""How the vocabularies that GGUF names cut their texts: the values of ``tokenizer.ggml.pre``.

A name stands for the tokenizer that it was made for, so the rules are those of that tokenizer, in the language of
`fourcc.models.tokenizers.splitting`. Which name means which rules is llama.cpp's statement (``src/llama-vocab.cpp``:
names in ``llama_vocab::impl::load``, rules in ``llm_tokenizer_bpe``, where comments give the tokenizers' own). Some
rules stand there in a form that its regular expressions can hold, and here as the tokenizers have them: those that tell
upper from lower case outside ASCII (``tekken``, ``gpt-4o`` and their kin), those that cut numbers into threes from
their end (``afmoe``, ``tiny_aya``), and the long s.
"""

from __future__ import annotations

from collections.abc import Iterator

from fourcc.models.tokenizers.splitting import Splitting

_GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
_ENDINGS = r"(?:'[sS\p{LongS}]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])"
_BLANKS = r"\s+(?!\S)|\s+"
_SPACES = rf"\s*[\r\n]+|{_BLANKS}"
_MARKS = r" ?[^\s\p{L}\p{N}]+"


def _by_case(number: str, marks: str, ending: str = "", letter: str = "") -> str:
    """Words that begin with capitals and end with small letters, numbers, marks, spaces; `letter` comes before each."""
    start = r"[^\r\n\p{L}\p{N}]?"
    upper, lower = (
        rf"(?:{letter}[\p{{Lu}}\p{{Lt}}\p{{Lm}}\p{{Lo}}\p{{M}}])",
        rf"(?:{letter}[\p{{Ll}}\p{{Lm}}\p{{Lo}}\p{{M}}])",
    )
    words = rf"{start}{upper}*{lower}+{ending}|{start}{upper}+{lower}*{ending}"
    return rf"{words}|{number}|{marks}|{_SPACES}"


def _by_kind(number: str, marks: str = rf"{_MARKS}[\r\n]*", spaces: str = _SPACES, letters: str = r"\p{L}+") -> str:
    """Endings of English words, words with the character before them, numbers, marks, spaces."""
    return rf"{_ENDINGS}|[^\r\n\p{{L}}\p{{N}}]?{letters}|{number}|{marks}|{spaces}"


_LLAMA3 = _by_kind(r"\p{N}{1,3}")
_QWEN2 = _by_kind(r"\p{N}")
_O200K = _by_case(r"\p{N}{1,3}", rf"{_MARKS}[\r\n/]*", rf"{_ENDINGS}?")
_RUNS = "".join(rf"\s{{{1 << power}}}(?!\S)|" for power in range(9, 1, -1))
_JAIS2 = _by_kind(r"\p{N}{1,3}", spaces=rf"\s*[\r\n]+|{_RUNS}\s{{1,2}}(?!\S)|\s{{1}}")
_LATIN_WORD = r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+"""
_CJK = "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+"
_DEEPSEEK3 = rf"{_LATIN_WORD}|[^\r\n\p{{L}}\p{{P}}\p{{S}}]?[\p{{L}}\p{{M}}]+| ?[\p{{P}}\p{{S}}]+"
_HAN_HANGUL = "[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+"
_BLOOM = " ?[^(\\s|.,!?\u2026\u3002\uff0c\u3001\u0964\u06d4\u060c)]+"
_THREES = r"\p{N}{1,3}(?=(?:\p{N}{3})*(?!\p{N}))"  # counted from the number's end
_AFMOE_WORDS = (  # scripts without spaces between words: Han, kana, Thai, Lao, Khmer, Myanmar, Hangul
    "[\u4e00-\u9fff\u3400-\u4dbf\u8c48-\ufaff\u3040-\u309f\u30a0-\u30ff\uff65-\uff9f\u2f00-\u2fdf\u0e40-\u0e7f"
    "\u0e80-\u0eff\u1780-\u17ff\u1000-\u109f\uaa60-\uaa7f\ua9e0-\ua9ff\uac00-\ud7af\u1100-\u11ff]+"
)
_YOUTU_WORDS = (
    "[\uac00-\ud7a3\u3131-\u318e]+|[\uff01\u2026\u201c\u201d\u2018\u2019\u2014\uff1a\uff1b\uff0c\u3001-\u303f\ufe30-\ufe4f]+"
    "|[\u3105-\u312f]+|" + _CJK
)
# Letters that deepseek-llm takes together: Latin, Greek, Cyrillic, Armenian, Georgian, Cherokee and others with cases.
_CASED_LETTERS = """
    41-5a 61-7a b5 c0-d6 d8-f6 f8-1ba 1bc-1bf 1c4-293 295-2af 370-373 376 377 37b-37d 37f 386 388-38a 38c 38e-3a1
    3a3-3f5 3f7-481 48a-52f 531-556 10a0-10c5 13a0-13f5 13f8-13fd 1c90-1cba 1cbd-1cbf 1d00-1d2b 1d6b-1d77 1d79-1d9a
    1e00-1f15 1f18-1f1d 1f20-1f45 1f48-1f4d 1f50-1f57 1f59 1f5b 1f5d 1f5f-1f7d 1f80-1fb4 1fb6-1fbc 1fbe 1fc2-1fc4
    1fc6-1fcc 1fd0-1fd3 1fd6-1fdb 1fe0-1fec 1ff2-1ff4 1ff6-1ffc 2102 2107 210a-2113 2115 2119-211d 2124 2126 2128
    212a-212d 212f-2134 2139 213c-213f 2145-2149 214e 2183 2184 2c00-2c7b 2c7e-2ce4 2ceb-2cee 2cf2 2cf3 a640-a66d
    a680-a69b a722-a76f a771-a787 a78b-a78e ab70-abbf fb00-fb06 fb13-fb17 ff21-ff3a ff41-ff5a 10400-1044f
    104b0-104d3 104d8-104fb 10c80-10cb2 10cc0-10cf2 118a0-118df 1e900-1e943
"""


def _ranges(listed: str) -> str:
    """Ranges of code points for the inside of brackets."""
    bounds = [[chr(int(bound, 16)) for bound in each.split("-")] for each in listed.split()]
    return "".join("-".join(each) for each in bounds)


_DEEPSEEK_LLM = (
    "[\r\n]",
    rf"\s?[{_ranges(_CASED_LETTERS)}]+",
    "\\s?[!-/:-~\uff01-\uff0f\uff1a-\uff5e\u2018-\u201f\u3000-\u3002]+",
    r"\s+\Z",
    _HAN_HANGUL,
    r"\p{N}+",
)
_CHAMELEON = (
    "<sentinel:[0-9]+>",
    "IMGIMG[A-I]{1,4}Z",
    r"[\t\n]|    |  ",
    r"\p{N}",
    r"[\p{P}!-/:-@\[-`{-~]",
    _GPT2,
)
_KIMI = r"\p{Han}+|" + _by_case(r"\p{N}{1,3}", rf"{_MARKS}[\r\n]*", rf"{_ENDINGS}?", r"(?!\p{Han})")
_EXAONE_MOE = _by_kind(r"\p{N}", rf"{_MARKS}[\r\n/]?", rf"\s*[\r\n]|{_BLANKS}", r"(?:\p{L}\p{M}*(?: \p{L}\p{M}*)*)+")
_QWEN35 = _by_kind(r"\p{N}", r" ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*", letters=r"[\p{L}\p{M}]+")
_SEED = _by_kind(r"\p{N}", r" ?[^\s\p{L}\p{N}\r\n]+")
_DIGIT, _THREE_DIGITS = r"\p{N}", "[0-9][0-9][0-9]"
_MARKS_FIRST = r"[\p{P}$+<=>^~|`]+"

# How they cut -> names. Of names for the same cuts the first is the one that an export takes.
_FAMILIES: tuple[tuple[Splitting, str], ...] = (
    (
        Splitting((_GPT2,)),
        (
            "gpt-2 phi-2 jina-es jina-de jina-v1-en jina-v2-es jina-v2-de jina-v2-code roberta-bpe gigachat a.x-4.0 "
            "mellum modern-bert exaone4 mpt olmo jais trillion granite-docling"
        ),
    ),
    (
        Splitting((_LLAMA3,), whole_words=True, bos=True),
        ("llama-bpe llama3 llama-v3 falcon3 falcon-h1 pixtral midm-2.0 lfm2 jina-v5-nano"),
    ),
    (Splitting((_LLAMA3,), whole_words=True), "glm4 glm5"),
    (Splitting((_LLAMA3,)), "dbrx smaug-bpe chatglm-bpe"),
    (
        Splitting((_QWEN2,)),
        (
            "qwen2 deepseek-r1-qwen kormo f2llmv2 megrez stablelm2 hunyuan solar-open grok-2 "
            "bailingmoe bailingmoe2 llada-moe"
        ),
    ),
    (Splitting((_QWEN35,)), "qwen35"),
    (Splitting((_by_case(r"\p{N}", rf"{_MARKS}[\r\n/]*"),), whole_words=True, bos=True), "tekken"),
    (Splitting((_O200K,)), "gpt-4o llama4 kanana2 talkie minimax-m2"),
    (Splitting((_O200K,), whole_words=True), "granite-embed-multi-97m"),
    (Splitting((_DIGIT, _GPT2)), ("starcoder refact command-r smollm codeshell exaone minerva-7b mellum2")),
    (Splitting((_MARKS_FIRST, _GPT2, _THREE_DIGITS)), "falcon"),
    (Splitting((r"[\p{P}$+<=>^~|]+", _GPT2, r"\p{N}+", _THREE_DIGITS)), "default"),
    (Splitting(_DEEPSEEK_LLM), "deepseek-llm"),
    (Splitting(("[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", _HAN_HANGUL, _DIGIT)), "deepseek-coder"),
    (
        Splitting((r"\p{N}{1,3}", _CJK, rf"{_DEEPSEEK3}[\r\n]*|{_SPACES}")),
        ("deepseek-v3 hunyuan-dense joyai-llm hy_v4"),
    ),
    (Splitting((r"\p{N}{1,3}", _CJK, rf"{_DEEPSEEK3}|[\r\n]|{_BLANKS}", _DIGIT)), "spark2_5"),
    (Splitting((_THREES, _AFMOE_WORDS, rf"{_DEEPSEEK3}[\r\n]*|{_SPACES}")), "afmoe"),
    (Splitting((_YOUTU_WORDS, _by_case(_DIGIT, rf"{_MARKS}[\r\n/]*", rf"{_ENDINGS}?")), whole_words=True), "youtu"),
    (Splitting((_BLOOM,)), "bloom poro-chat gpt3-finnish"),
    (Splitting((_BLOOM, _DIGIT)), "viking"),
    (Splitting((_JAIS2,)), "jais-2"),
    (Splitting((_KIMI,)), "kimi-k2"),
    (Splitting((r"\d{1,3}(?=(?:\d{3})*(?![\p{L}\p{M}\p{Nd}\p{Nl}\p{Pc}\p{Latin1}]))", _O200K)), "tiny_aya cohere2moe"),
    (Splitting((r"\p{N}+", r"(?=(\d{3})+(?!\d))")), "superbpe"),
    (Splitting((_SEED,)), "seed-coder"),
    (Splitting((_QWEN2.removeprefix(f"{_ENDINGS}|"),)), "ufakzeka"),  # Turkish endings begin with an apostrophe, too
    (Splitting((r"[^\n]+|\n+", _QWEN2)), "laguna"),
    (Splitting((_EXAONE_MOE,)), "exaone-moe"),
    (Splitting((r"\p{N}{1,3}", _by_kind(r"\p{N}+")), whole_words=True), "minicpm5"),
    (Splitting(_CHAMELEON, bos=True), "chameleon"),
)
SPLITTINGS = {name: splitting for splitting, names in _FAMILIES for name in names.split()}
WITHOUT_CUTS = Splitting((r"[^\n]+|\n+",))  # between lines alone: a line is one word


def families() -> Iterator[tuple[str, Splitting]]:
    """Every way to cut, with the name that an export takes for it."""
    for splitting, names in _FAMILIES:
        yield names.split()[0], splitting
