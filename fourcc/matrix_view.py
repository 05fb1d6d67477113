"""HTML of a matrix for notebooks: its facts, its parts, and a histogram of some of its weights."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from fractions import Fraction
from math import prod

import numpy as np

from fourcc.arrays import Array
from fourcc.errors import PluginError, TableError
from fourcc.settings import Params
from fourcc.tags import FourCC

BARS = 60


class MatrixView:
    """A matrix with HTML for notebooks, for which few of its weights are decoded."""

    __slots__ = ()

    tag: FourCC
    shape: tuple[int, ...]
    parts: Mapping[str, Array]
    params: Params

    @property
    @abstractmethod
    def bits_per_weight(self) -> Fraction:
        """Stored bits per weight."""

    @abstractmethod
    def sample(self) -> Array:
        """Some of the weights."""

    def _repr_html_(self) -> str:
        """HTML for notebooks: shape, format, parts, and a histogram of some of the weights."""
        from fourcc.drawing import notebook

        said = {
            "format": str(self.tag),
            "shape": " x ".join(map(str, self.shape)) or "scalar",
            "bits per weight": float(self.bits_per_weight),
            "bytes": sum(part.nbytes for part in self.parts.values()),
            **self.params,
        }
        parts = [
            {"part": name, "dtype": str(part.dtype), "shape": list(part.shape), "bytes": part.nbytes}
            for name, part in self.parts.items()
        ]
        return notebook.output(
            notebook.heading(self), notebook.known_facts(said), self._drawn(), notebook.short_table(parts)
        )

    def _drawn(self) -> str:
        """A histogram of a sample as SVG; a sentence where the format is missing, empty where there is nothing."""
        from fourcc.drawing.histogram import histogram
        from fourcc.drawing.markup import element, text

        try:
            some = self.sample()
        except (PluginError, TableError) as error:
            return element("p", text(error))
        finite = some[np.isfinite(some)].astype(np.float64)
        if not finite.size or finite.min() == finite.max():
            return ""
        counts, edges = np.histogram(finite, BARS)
        title = f"Histogram of {finite.size} of the {prod(self.shape)} weights"
        return histogram(counts.tolist(), (float(edges[0]), float(edges[-1])), title=title)
