"""Writes a new plugin: a small package with a working format of one of several kinds, and its tests."""

from fourcc.scaffold.names import Names, checked_names
from fourcc.scaffold.starting_points import STARTING_POINTS, StartingPoint, starting_point
from fourcc.scaffold.writing import write_package

__all__ = ["STARTING_POINTS", "Names", "StartingPoint", "checked_names", "starting_point", "write_package"]
