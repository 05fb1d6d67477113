"""Tables as records: plain values for pandas, Arrow and whatever reads them, and HTML for notebooks.

A result that is a table has `Records` among its bases and says in `records` which fields a record has. pandas and
pyarrow are no dependencies: they are imported when they are asked for, and named where they are missing.
"""

from __future__ import annotations

from abc import abstractmethod
from importlib import import_module
from typing import Any

from fourcc import installation
from fourcc.errors import UsageError


class Records:
    """A result that is a table of records.

    ``pandas.DataFrame.from_arrow(x)``, ``pyarrow.table(x)`` and others that know Arrow's protocol take it as it is.
    """

    __slots__ = ()

    @abstractmethod
    def records(self) -> list[dict[str, Any]]:
        """The table's rows, each a dict of plain values: texts, numbers, truth values, lists of these, None."""

    def to_pandas(self) -> Any:  # noqa: ANN401 - a pandas.DataFrame; pandas is no dependency
        """A `pandas.DataFrame` with a row for each record. Raises UsageError where pandas is not installed."""
        return package("pandas", "to_pandas").DataFrame(self.records())

    def __arrow_c_stream__(self, requested_schema: object = None) -> Any:  # noqa: ANN401 - the protocol's capsule
        arrow = package("pyarrow", "Arrow's protocol")
        return arrow.Table.from_pylist(self.records()).__arrow_c_stream__(requested_schema)

    def _repr_html_(self) -> str:
        """HTML for notebooks; of a long table the first and the last rows."""
        from fourcc.drawing import notebook

        caption = repr(self).partition("\n")[0].strip("<>")
        return notebook.output(notebook.short_table(self.records(), caption=caption))


def package(name: str, asking: str) -> Any:  # noqa: ANN401 - a module
    """A package that is no dependency.

    Args:
        name: of the package.
        asking: names the deed that needs it, for the message.

    Raises:
        UsageError: it is not installed; the message says how it is.
    """
    try:
        return import_module(name)
    except ImportError as error:
        what = f"{asking} needs the package {name}, which is not installed"
        raise UsageError(what, hint=installation.package_hint(name)) from error
