"""The process in which plugins are imported for a trial; `fourcc.plugins.apart` starts it.

It reads the targets from stdin and writes a line for each whose import returns, even by an exception: only what ends
the process, or does not end, is of interest.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from importlib import import_module
from math import ceil


def main() -> int:
    """Imports the targets on stdin one after the other."""
    answers = os.dup(1)
    os.dup2(2, 1)
    job = json.load(sys.stdin)
    for target in job["targets"]:
        if hasattr(signal, "alarm"):
            signal.alarm(2 * ceil(job["limit"]))  # should the process that waits for this one be gone
        returns(target)
        os.write(answers, b"\n")
    return 0


def returns(target: str) -> bool:
    """Whether ``module:attribute`` can be imported and its declaration checked; the registry says why not."""
    try:
        value = imported(target)
        check = getattr(value, "check", None)
        if callable(check):  # of a declaration: it calls the plugin's functions
            check()
    except KeyboardInterrupt:
        raise  # it would end a command, too
    except BaseException:  # noqa: BLE001 - SystemExit, too
        return False
    return True


def imported(target: str) -> object:
    """The object that ``module:attribute`` names."""
    module, _, attribute = target.partition(":")
    value: object = import_module(module.strip())
    for name in attribute.strip().split(".") if attribute else ():
        value = getattr(value, name)
    return value


if __name__ == "__main__":
    sys.exit(main())
