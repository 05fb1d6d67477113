"""The policy that a file carries: the lines of each rule, and the tensors that it took."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise

from fourcc.errors import PolicyError
from fourcc.policy import Policy
from fourcc.reporting.document import RuleReport, TensorReport

_ELSEWHERE = re.compile(r"\s*(\[+\s*(?!rule\b)|\]\s*$)")  # a table that is no rule's, or the end of an array of rules


def rule_reports(text: str, tensors: Sequence[TensorReport]) -> tuple[RuleReport, ...]:
    """The rules of a policy's text with their tensors; those that took none, too.

    Where a tensor has the number of a rule that the text has not, they are those that took a tensor, without lines.

    Args:
        text: TOML.
        tensors: of the file.
    """
    texts, taken = rule_texts(text), defaultdict(list)
    for tensor in tensors:
        if tensor.rule is not None:
            taken[tensor.rule].append(tensor)
    if all(number < len(texts) for number in taken):
        return tuple(RuleReport(number, words, tuple(taken[number])) for number, words in enumerate(texts))
    return tuple(RuleReport(number, "", tuple(taken[number])) for number in sorted(taken))  # a number can be any


def rule_texts(text: str) -> list[str]:
    """The lines of each rule, as a table or as one in an array; an empty list where the text is no policy."""
    try:
        starts = Policy.parse(text).rule_lines
    except PolicyError:
        return []
    lines = text.splitlines()
    pairs = pairwise([*starts, len(lines) + 1])
    return [_trimmed(lines[first - 1 : max(first, last - 1)]) for first, last in pairs]


def _trimmed(lines: list[str]) -> str:
    """A rule's lines, without what follows it: another table, empty lines, comments on the next rule."""
    end = next((place for place, line in enumerate(lines) if place and _ELSEWHERE.match(line)), len(lines))
    while end > 1 and (not lines[end - 1].strip() or lines[end - 1].lstrip().startswith("#")):
        end -= 1
    return "\n".join(lines[:end]).strip()
