"""How many examples a property draws: all with ``--hypothesis-profile=thorough``, a sixth of them otherwise.

Each run draws others, so quick runs together see what a thorough one does.
"""

from hypothesis import settings

THOROUGH = "thorough"  # the profile; `tests/conftest.py` registers it
SHARE = 6


def examples(count: int) -> settings:
    """The settings of a property that draws `count` examples in a thorough run."""
    thorough = settings.get_current_profile_name() == THOROUGH
    return settings(max_examples=count if thorough else -(-count // SHARE), deadline=None)
