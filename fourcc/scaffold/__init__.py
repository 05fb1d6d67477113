"""Writes a new plugin: a small package with a working format of one of several kinds, and its tests."""

from fourcc.scaffold.kinds import KINDS, Kind, kind_named
from fourcc.scaffold.names import Names, checked_names
from fourcc.scaffold.writing import write_package

__all__ = ["KINDS", "Kind", "Names", "checked_names", "kind_named", "write_package"]
