"""Logs what became of each tensor of a conversion, for `-v` and for programs that listen to the logger ``fourcc``."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fourcc.container.index import TensorRecord
    from fourcc.tags import FourCC

_log = logging.getLogger(__name__)


def tell(record: TensorRecord, how: str, before: FourCC, seconds: float) -> None:
    """Logs a tensor.

    Args:
        record: of what was written.
        how: copied, kept or encoded.
        before: the format in the source.
        seconds: since the tensor before it was written.
    """
    change = str(record.tag) if before == record.tag else f"{before} -> {record.tag}"
    lost = "" if record.error is None or record.error.sqnr_db is None else f", SQNR {record.error.sqnr_db:.1f} dB"
    _log.info("%s: %s, %s%s, %.3f s", record.name, how, change, lost, seconds)
