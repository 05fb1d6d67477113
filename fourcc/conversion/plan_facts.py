"""The facts that the bytes of a conversion depend on: by them unfinished work, and other machines, know the same plan.

Nothing that the bytes do not depend on is among them: neither threads nor memory, nor the folder that a file lies in.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from secrets import token_hex
from typing import TYPE_CHECKING, Any

import attrs
import numpy as np
from xxhash import xxh3_128, xxh3_128_hexdigest

from fourcc.conversion.pipeline import Step, provider_of
from fourcc.files.backing import backing_of
from fourcc.files.mapped import let_go
from fourcc.plugins.entries import OWN
from fourcc.plugins.registry import registry

if TYPE_CHECKING:
    from fourcc.conversion.plan import Plan
    from fourcc.format import Aids
    from fourcc.sources.source import Source


def plan_facts(planned: Plan) -> dict[str, Any]:
    """The facts of a conversion, by name, as JSON can hold them.

    Raises:
        OSError: a file of the source is gone.
        PluginError: a format is missing or broken.
    """
    policy = planned.policy.text
    return {
        "work": "convert",
        **source_facts(planned.source),
        "policy": policy,
        "blob": digests({name: data for name, data in planned.blobs.items() if data != policy.encode()}),
        **steps_facts(planned.steps),
    }


def source_facts(source: Source) -> dict[str, Any]:
    """The facts of a checkpoint: its files, by their names without folders, and what they say of the model.

    Weights that are in no file cannot be known again: their facts are never the same.
    """
    files = _files(source.files) or {"in memory": token_hex()}
    return {
        "source": {"kind": source.kind, "architecture": source.architecture, **files},
        "hyper-parameter": dict(source.hyper),
    }


def steps_facts(steps: Iterable[Step]) -> dict[str, Any]:
    """The facts of tensors: versions of fourcc and of plugins, and what becomes of each tensor."""
    from fourcc import __version__

    taken = tuple(steps)
    makers = [provider_of(step) for step in taken if not step.copied]  # of a copy only its file matters
    return {
        "unit": "tensor",
        "units": len(taken),
        "version of": {each.distribution: each.version for each in makers if each is not None} | {OWN: __version__},
        "tensor": {step.source.name: _step(step) for step in taken},
        "order of tensors": xxh3_128_hexdigest("\0".join(step.source.name for step in taken).encode()),
    }


def digests(contents: Mapping[str, bytes]) -> dict[str, str]:
    """The XXH3-128 of each of some contents, in hex."""
    return {name: xxh3_128_hexdigest(data) for name, data in contents.items()}


def file_facts(path: Path) -> dict[str, Any]:
    """Length and time of change of a file, or what it is elsewhere. Raises OSError where it is gone."""
    backing = backing_of(path)
    if backing is not None:
        return {"identity": " ".join(map(str, backing.identity))}
    status = path.stat()
    seconds, rest = divmod(status.st_mtime_ns, 10**9)
    changed = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return {"bytes": status.st_size, "changed": f"{changed}.{rest:09}Z"}


def _files(paths: Iterable[Path]) -> dict[str, Any]:
    """The facts of files by name; of two that have one name, the later has its number, too."""
    named: dict[str, Any] = {}
    for number, path in enumerate(paths, 1):
        named[path.name if path.name not in named else f"{path.name} ({number})"] = file_facts(path)
    return named


def _step(step: Step) -> dict[str, Any]:
    """The facts of a tensor; those that say nothing are left out."""
    decision, source = step.decision, step.source
    facts = {
        "shape": list(source.shape),
        "stored as": str(source.tag),
        "format": str(decision.tag),
        "parameters": dict(decision.params),
        "way": "copied" if step.copied else "kept" if decision.keep else "encoded",
        "rule": decision.rule,
        "NaN and infinity": decision.nonfinite,
    }
    if not decision.keep:
        facts["options"] = dict(decision.options)
        facts["encoder version"] = registry[decision.tag].encoder_version
        facts["calibration"] = _aids(step.aids)
        facts["error feedback"] = None if step.feedback is None else attrs.asdict(step.feedback)
    return {name: value for name, value in facts.items() if value not in (None, {}, False)}


def _aids(aids: Aids) -> str | None:
    """A digest of what tells calibration data from any other; None where there are none.

    Of a Hessian its shape, its diagonal and its first row: all of it may be gigabytes in a file, and no text gives
    another one the same mean squares of all inputs.
    """
    if aids.empty:
        return None
    digest = xxh3_128()
    if aids.importance is not None:
        digest.update(np.ascontiguousarray(aids.importance).tobytes())
    if aids.hessian is not None:
        digest.update(repr(aids.hessian.shape).encode())
        digest.update(np.ascontiguousarray(np.diagonal(aids.hessian, axis1=-2, axis2=-1)).tobytes())
        digest.update(np.ascontiguousarray(aids.hessian[..., :1, :]).tobytes())
        let_go(aids.hessian)
    return digest.hexdigest()
