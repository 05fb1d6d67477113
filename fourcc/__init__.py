"""fourcc: a pluggable registry of quantization formats for language-model weights, and the files made of them.

    import fourcc

    fourcc.convert("stories.bin", "model.bin", policy=fourcc.Policy.shorthand("Q8_0,F16"))
    with fourcc.open("model.bin") as model:
        wq = model["layers.0.attention.wq"]     # a QMatrix: zero-copy views of the mapped file
        weights = wq.decode()                   # float32, of the tensor's shape
        print(model.generate("Once upon a time"))
    print(fourcc.evaluate("model.bin", Path("story.txt"), reference="stories.bin"))
    print(fourcc.stats("stories.bin"))

Importing the package loads neither numpy nor numba: each name below is imported when it is first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fourcc.analysis.survey import stats as stats
    from fourcc.container.reader import ModelFile as ModelFile
    from fourcc.container.verify import verify as verify
    from fourcc.conversion.plan import convert as convert
    from fourcc.encoding import encode as encode
    from fourcc.errors import FourccError as FourccError
    from fourcc.format import Aids as Aids
    from fourcc.format import Format as Format
    from fourcc.models.evaluation import evaluate as evaluate
    from fourcc.models.model import Model as Model
    from fourcc.models.opening import open_to_look as open  # noqa: A004 - as gzip.open and others
    from fourcc.policy import Policy as Policy
    from fourcc.qmatrix import QMatrix as QMatrix
    from fourcc.sources import open_source as open_source
    from fourcc.spec import FormatSpec as FormatSpec
    from fourcc.spec import Geometry as Geometry
    from fourcc.spec import Part as Part
    from fourcc.spec import Setting as Setting
    from fourcc.tags import FourCC as FourCC

__version__ = "0.1.0"

_HOMES = {
    "Aids": "fourcc.format:Aids",
    "Format": "fourcc.format:Format",
    "FormatSpec": "fourcc.spec:FormatSpec",
    "FourCC": "fourcc.tags:FourCC",
    "FourccError": "fourcc.errors:FourccError",
    "Geometry": "fourcc.spec:Geometry",
    "Model": "fourcc.models.model:Model",
    "ModelFile": "fourcc.container.reader:ModelFile",
    "Part": "fourcc.spec:Part",
    "Policy": "fourcc.policy:Policy",
    "QMatrix": "fourcc.qmatrix:QMatrix",
    "Setting": "fourcc.spec:Setting",
    "convert": "fourcc.conversion.plan:convert",
    "encode": "fourcc.encoding:encode",
    "evaluate": "fourcc.models.evaluation:evaluate",
    "open": "fourcc.models.opening:open_to_look",
    "open_source": "fourcc.sources:open_source",
    "stats": "fourcc.analysis.survey:stats",
    "verify": "fourcc.container.verify:verify",
}

__all__ = [
    "Aids",
    "Format",
    "FormatSpec",
    "FourCC",
    "FourccError",
    "Geometry",
    "Model",
    "ModelFile",
    "Part",
    "Policy",
    "QMatrix",
    "Setting",
    "convert",
    "encode",
    "evaluate",
    "open",
    "open_source",
    "stats",
    "verify",
]


def __getattr__(name: str) -> object:
    """Imports a public name from its home."""
    if name not in _HOMES:
        raise AttributeError(f"module 'fourcc' has no attribute {name!r}")
    module, _, attribute = _HOMES[name].partition(":")
    found = getattr(import_module(module), attribute)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
