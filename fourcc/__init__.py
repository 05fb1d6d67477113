"""fourcc: a pluggable registry of quantization formats for language-model weights, and the files made of them.

    import fourcc

    fourcc.registry["Q4_0"]                     # a Format by its tag, a plugin's like a built-in one
    mixed = fourcc.Policy.shorthand("Q8_0,F16")
    fourcc.convert("stories.bin", "model.bin", policy=mixed, tokenizer="tokenizer.bin")
    with fourcc.open("model.bin") as model:     # opens any other checkpoint, too
        wq = model["layers.0.attention.wq"]     # a QMatrix: zero-copy views of the mapped file
        weights = wq.decode()                   # float32, of the tensor's shape
        print(model.generate("Once upon a time"))
    print(fourcc.evaluate("model.bin", "Once upon a time, there was a little girl."))
    print(fourcc.diff("stories.bin", "model.bin").identical, fourcc.stats("model.bin"))
    fourcc.export("model.bin", "model.gguf")
    fourcc.report("model.bin", "report.html", against="stories.bin")    # a page to look at

    fourcc.convert("stories.bin", "original.bin", tokenizer="tokenizer.bin")
    made = fourcc.convert_to_budget("original.bin", "best.bin", "5.0bpw", "text.txt")    # the best mix, in one call

    known = fourcc.calibrate("original.bin", "text.txt", "model.calib", hessian=True)    # the same, step by step
    costs = fourcc.measure("original.bin", "other.txt", calibration=known, feedback="gptq")
    mix = fourcc.allocate("original.bin", costs, budget="5.0bpw")
    fourcc.convert("original.bin", "small.bin", policy=mix.policy, calibration=known, feedback="gptq")
    print(fourcc.shootout("original.bin", calibration=known))                            # all formats, compared

Importing the package loads neither numpy nor numba: each name below is imported when it is first used.
"""

from __future__ import annotations

TYPE_CHECKING = (
    False  # as of `typing`, whose import takes longer than all else before the command line can be interrupted
)

if TYPE_CHECKING:
    from fourcc import formats as formats
    from fourcc.analysis.by_path import diff as diff
    from fourcc.analysis.by_path import stats as stats
    from fourcc.analysis.by_path import suggest as suggest
    from fourcc.arrays import Array as Array
    from fourcc.arrays import Floats as Floats
    from fourcc.arrays import Parts as Parts
    from fourcc.bench.shootout.run import shootout as shootout
    from fourcc.calibration.allocating import allocate as allocate
    from fourcc.calibration.calibrating import calibrate as calibrate
    from fourcc.calibration.calibration import Calibration as Calibration
    from fourcc.calibration.costs import Costs as Costs
    from fourcc.calibration.costs_reading import read_costs as read_costs
    from fourcc.calibration.measure import measure as measure
    from fourcc.calibration.reading import open_calibration as open_calibration
    from fourcc.calibration.to_budget import convert_to_budget as convert_to_budget
    from fourcc.container.reader import ModelFile as ModelFile
    from fourcc.container.resharding import join as join
    from fourcc.container.resharding import split as split
    from fourcc.container.verify import verify as verify
    from fourcc.conversion.convert import convert as convert
    from fourcc.conversion.pipeline import Step as Step
    from fourcc.encoding import encode as encode
    from fourcc.errors import FourccError as FourccError
    from fourcc.exporters.by_path import export as export
    from fourcc.exporters.layout import ExportKind as ExportKind
    from fourcc.exporters.layout import Layout as Layout
    from fourcc.feedback.feedback import Feedback as Feedback
    from fourcc.forecasting.by_path import forecast as forecast
    from fourcc.format import Aids as Aids
    from fourcc.format import Blocks as Blocks
    from fourcc.format import Format as Format
    from fourcc.format import Original as Original
    from fourcc.format import Sparse as Sparse
    from fourcc.format import Turn as Turn
    from fourcc.geometry import Geometry as Geometry
    from fourcc.grid import Grid as Grid
    from fourcc.models.evaluation import evaluate as evaluate
    from fourcc.models.model import Model as Model
    from fourcc.models.opening import open_to_look as open  # noqa: A004 - as gzip.open and others
    from fourcc.part import Part as Part
    from fourcc.part import packed as packed
    from fourcc.part import per_block as per_block
    from fourcc.part import per_column as per_column
    from fourcc.part import per_matrix as per_matrix
    from fourcc.part import per_row as per_row
    from fourcc.part import per_weight as per_weight
    from fourcc.part import ragged as ragged
    from fourcc.part import record as record
    from fourcc.plugins.registry import registry as registry
    from fourcc.policy import Policy as Policy
    from fourcc.qmatrix import QMatrix as QMatrix
    from fourcc.quantizing.quantize import quantize as quantize
    from fourcc.reporting.by_path import report as report
    from fourcc.settings import Params as Params
    from fourcc.settings import Setting as Setting
    from fourcc.sources.kind import SourceKind as SourceKind
    from fourcc.sources.source import Source as Source
    from fourcc.sources.source import SourceTensor as SourceTensor
    from fourcc.tags import FourCC as FourCC

__version__ = "0.1.0"

_HOMES = {
    "Aids": "fourcc.format:Aids",
    "Array": "fourcc.arrays:Array",
    "Blocks": "fourcc.format:Blocks",
    "Calibration": "fourcc.calibration.calibration:Calibration",
    "Costs": "fourcc.calibration.costs:Costs",
    "ExportKind": "fourcc.exporters.layout:ExportKind",
    "Feedback": "fourcc.feedback.feedback:Feedback",
    "Floats": "fourcc.arrays:Floats",
    "Format": "fourcc.format:Format",
    "FourCC": "fourcc.tags:FourCC",
    "FourccError": "fourcc.errors:FourccError",
    "Geometry": "fourcc.geometry:Geometry",
    "Grid": "fourcc.grid:Grid",
    "Layout": "fourcc.exporters.layout:Layout",
    "Model": "fourcc.models.model:Model",
    "ModelFile": "fourcc.container.reader:ModelFile",
    "Original": "fourcc.format:Original",
    "Params": "fourcc.settings:Params",
    "Part": "fourcc.part:Part",
    "Parts": "fourcc.arrays:Parts",
    "Policy": "fourcc.policy:Policy",
    "QMatrix": "fourcc.qmatrix:QMatrix",
    "Setting": "fourcc.settings:Setting",
    "Source": "fourcc.sources.source:Source",
    "SourceKind": "fourcc.sources.kind:SourceKind",
    "SourceTensor": "fourcc.sources.source:SourceTensor",
    "Sparse": "fourcc.format:Sparse",
    "Step": "fourcc.conversion.pipeline:Step",
    "Turn": "fourcc.format:Turn",
    "allocate": "fourcc.calibration.allocating:allocate",
    "calibrate": "fourcc.calibration.calibrating:calibrate",
    "convert": "fourcc.conversion.convert:convert",
    "convert_to_budget": "fourcc.calibration.to_budget:convert_to_budget",
    "diff": "fourcc.analysis.by_path:diff",
    "encode": "fourcc.encoding:encode",
    "evaluate": "fourcc.models.evaluation:evaluate",
    "export": "fourcc.exporters.by_path:export",
    "forecast": "fourcc.forecasting.by_path:forecast",
    "formats": "fourcc.formats",
    "join": "fourcc.container.resharding:join",
    "measure": "fourcc.calibration.measure:measure",
    "open": "fourcc.models.opening:open_to_look",
    "open_calibration": "fourcc.calibration.reading:open_calibration",
    "packed": "fourcc.part:packed",
    "per_block": "fourcc.part:per_block",
    "per_column": "fourcc.part:per_column",
    "per_matrix": "fourcc.part:per_matrix",
    "per_row": "fourcc.part:per_row",
    "per_weight": "fourcc.part:per_weight",
    "quantize": "fourcc.quantizing.quantize:quantize",
    "ragged": "fourcc.part:ragged",
    "read_costs": "fourcc.calibration.costs_reading:read_costs",
    "record": "fourcc.part:record",
    "registry": "fourcc.plugins.registry:registry",
    "report": "fourcc.reporting.by_path:report",
    "shootout": "fourcc.bench.shootout.run:shootout",
    "split": "fourcc.container.resharding:split",
    "stats": "fourcc.analysis.by_path:stats",
    "suggest": "fourcc.analysis.by_path:suggest",
    "verify": "fourcc.container.verify:verify",
}

__all__ = [
    "Aids",
    "Array",
    "Blocks",
    "Calibration",
    "Costs",
    "ExportKind",
    "Feedback",
    "Floats",
    "Format",
    "FourCC",
    "FourccError",
    "Geometry",
    "Grid",
    "Layout",
    "Model",
    "ModelFile",
    "Original",
    "Params",
    "Part",
    "Parts",
    "Policy",
    "QMatrix",
    "Setting",
    "Source",
    "SourceKind",
    "SourceTensor",
    "Sparse",
    "Step",
    "Turn",
    "allocate",
    "calibrate",
    "convert",
    "convert_to_budget",
    "diff",
    "encode",
    "evaluate",
    "export",
    "forecast",
    "formats",
    "join",
    "measure",
    "open",
    "open_calibration",
    "packed",
    "per_block",
    "per_column",
    "per_matrix",
    "per_row",
    "per_weight",
    "quantize",
    "ragged",
    "read_costs",
    "record",
    "registry",
    "report",
    "shootout",
    "split",
    "stats",
    "suggest",
    "verify",
]


def __getattr__(name: str) -> object:
    """Imports a public name from its home."""
    from importlib import import_module

    if name not in _HOMES:
        raise AttributeError(f"module 'fourcc' has no attribute {name!r}")
    module, _, attribute = _HOMES[name].partition(":")
    home = import_module(module)
    value = getattr(home, attribute) if attribute else home
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*__all__, *(name for name in globals() if name.startswith("__"))})
