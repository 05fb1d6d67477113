"""The policy that a file carries: the lines of each rule, and the tensors that it took."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence

from fourcc.reporting.document import RuleReport, TensorReport

_TABLE = re.compile(r"^\s*\[+\s*([A-Za-z_\"'.]+)\s*\]+")
_MULTILINE = re.compile(r"\"\"\"|'''")


def rule_reports(text: str, tensors: Sequence[TensorReport]) -> tuple[RuleReport, ...]:
    """The rules of a policy's text with their tensors; those that took none, too.

    Args:
        text: TOML.
        tensors: of the file.
    """
    texts, taken = rule_texts(text), defaultdict(list)
    for tensor in tensors:
        if tensor.rule is not None:
            taken[tensor.rule].append(tensor)
    count = max([len(texts), *(number + 1 for number in taken)], default=0)
    known = texts if len(texts) == count else [""] * count
    return tuple(RuleReport(number, known[number], tuple(taken[number])) for number in range(count))


def rule_texts(text: str) -> list[str]:
    """The lines of each ``[[rule]]``; an empty list where a text over several lines makes them hard to tell."""
    if _MULTILINE.search(text):
        return []
    blocks: list[list[str]] = []
    inside = False
    for line in text.splitlines():
        header = _TABLE.match(line)
        if header is not None:
            inside = header[1].split(".")[0] == "rule"
            if inside and line.lstrip().startswith("[[") and header[1] == "rule":
                blocks.append([])
        if inside and blocks:
            blocks[-1].append(line)
    return ["\n".join(block).strip() for block in blocks]
