"""Compares calibrations."""

from fourcc.calibration.calibration import Calibration


def differs(one: Calibration, other: Calibration) -> float:
    """The largest relative difference of an importance, of all matrices that the first one knows."""
    worst = 0.0
    assert one.statistics
    for name, statistics in one.statistics.items():
        wanted = other.statistics[name].importance
        worst = max(worst, float((abs(statistics.importance - wanted) / wanted).max()))
    return worst
