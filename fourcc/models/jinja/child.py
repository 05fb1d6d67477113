"""The process that runs a chat template: jobs come on stdin and results go to stdout, a JSON object a line.

A template is a program from a file. Here it may run for ever, take all memory or crash, and the process that asked ends
this one: see `fourcc.models.jinja.renderer`. Memory is limited where the system can do that.

The template runs twice: on plain texts, which gives what jinja2 gives, and on marked ones. Where the two differ in a
character the marks would be wrong, so that the result is refused.
"""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache, partial
from typing import Any

from jinja2.exceptions import TemplateSyntaxError

from fourcc.models.jinja.environment import ChatEnvironment, RefusedError
from fourcc.models.jinja.marked import origin_of, plain, runs_of
from fourcc.models.jinja.marking import MarkingEnvironment
from fourcc.models.jinja.wire import unpacked, without_marks

MEMORY = 1 << 30  # bytes of addresses
LONGEST = 1 << 24  # characters of a result


def main() -> None:
    """Does jobs until there are no more."""
    _limit_memory()
    _say({})  # all is imported
    for line in sys.stdin:
        _say(result_of(json.loads(line)))


def _say(result: Mapping[str, object]) -> None:
    sys.stdout.write(json.dumps(result) + "\n")
    sys.stdout.flush()


def result_of(job: Mapping[str, Any]) -> dict[str, object]:
    """The result of a job: a text and its origins, or ``why`` there is none and how that came (``kind``).

    Args:
        job: ``template``, its text, and ``values``, packed.
    """
    try:
        return _rendered(job["template"], unpacked(job["values"]))
    except RefusedError as error:
        return {"kind": "refused", "why": str(error)}
    except TemplateSyntaxError as error:
        return {"kind": "syntax", "why": f"line {error.lineno}: {error.message}"}
    except MemoryError:
        return {"kind": "failed", "why": f"it takes more than {MEMORY >> 20} MiB of memory"}
    except Exception as error:  # noqa: BLE001 - a template may fail in any way
        return {"kind": "failed", "why": f"{type(error).__name__}: {error!s:.300}"}


@lru_cache(2)
def _compiled(template: str) -> tuple[Callable[..., str], Callable[..., str]]:
    """A template made ready, for plain texts and for marked ones."""
    one, other = ChatEnvironment(), MarkingEnvironment()
    return partial(one.rendered, one.from_string(template)), partial(other.rendered, other.from_string(template))


def _rendered(template: str, values: dict[str, Any]) -> dict[str, object]:
    """The text and its origins."""
    now = datetime.now()  # noqa: DTZ005 - templates tell the user's own day
    one, other = _compiled(template)
    expected = one(without_marks(values), now)
    if len(expected) > LONGEST:
        return {"kind": "failed", "why": f"it gives {len(expected)} characters, more than {LONGEST}"}
    found = other({plain(name): value for name, value in values.items()}, now)
    if found != expected:
        return {"kind": "failed", "why": "it works on texts in a way in which their origin cannot be followed"}
    return {"text": expected, "runs": runs_of(origin_of(found))}


def _limit_memory() -> None:
    """Limits this process's memory; not every system can."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, resource.RLIM_INFINITY))


if __name__ == "__main__":
    main()
