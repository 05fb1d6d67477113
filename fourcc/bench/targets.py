"""Runs for other families of processors, each in a process of its own: a process compiles for one."""

from __future__ import annotations

import json
import os
import subprocess
import sys

from fourcc.bench.plan import BenchPlan, items
from fourcc.errors import UsageError


def checked(text: str) -> list[str]:
    """Names of families that this machine can run.

    Args:
        text: a comma list.

    Raises:
        UsageError: a name is unknown, or the machine cannot run that family.
    """
    from fourcc.kernels.simd.target import TARGETS, runs_here

    known = {each.name: each for each in TARGETS}
    able = ", ".join(name for name, each in known.items() if runs_here(each))
    for name in items(text):
        if name not in known or not runs_here(known[name]):
            what = "this machine cannot run the SIMD target" if name in known else "unknown SIMD target"
            raise UsageError(what, found=name, expected=f"of {able}")
    return list(items(text))


def run(name: str, plan: BenchPlan, *, quick: bool) -> dict[str, object]:
    """The document of a run for a family.

    Args:
        name: of the family.
        plan: of the run; peers are not measured again.
        quick: whether the plan was made with `quick`.

    Raises:
        UsageError: the run failed; the message has the end of its output.
    """
    command = [sys.executable, "-m", "fourcc", "bench", "--json", "--quiet", *_options(plan), *["--quick"] * quick]
    environment = {**os.environ, "FOURCC_SIMD": name}
    ended = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)  # noqa: S603 - our own
    if ended.returncode:
        raise UsageError(f"the run for {name} failed", found=(ended.stderr or ended.stdout).strip()[-500:])
    document: dict[str, object] = json.loads(ended.stdout)
    return document


def _options(plan: BenchPlan) -> list[str]:
    lists = {
        "--format": [str(each.tag) for each in plan.formats],
        "--shape": [f"{rows}x{cols}" for rows, cols in plan.shapes],
        "--threads": list(map(str, plan.threads)),
        "--n": list(map(str, plan.counts)),
    }
    return [text for option, values in lists.items() for text in (option, ",".join(values))]
