"""The parameter ``group``: how many neighbouring weights of a row share a scale."""

from fourcc import Setting


def group_setting(default: int) -> Setting:
    """The parameter, with a default."""
    return Setting("group", default, "weights that share a scale", low=1, high=2**31 - 1)
