"""The places in Markdown pages that a script fills."""

import re


def filled(text: str, name: str, body: str) -> str:
    """A document with other text between ``<!-- NAME: begin -->`` and ``<!-- NAME: end -->``.

    Raises:
        ValueError: the markers are not there, or more than once.
    """
    begin, end = f"<!-- {name}: begin -->", f"<!-- {name}: end -->"
    pattern = re.compile(f"{re.escape(begin)}\n.*?{re.escape(end)}", re.DOTALL)
    if len(pattern.findall(text)) != 1:
        raise ValueError(f"one pair of {begin} and {end} expected")
    return pattern.sub(lambda _: f"{begin}\n{body}\n{end}", text)
