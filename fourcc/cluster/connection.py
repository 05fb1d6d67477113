"""From an address to an executor: a scheduler of dask's that runs somewhere, or processes of this machine."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from fourcc import installation
from fourcc.errors import UsageError

if TYPE_CHECKING:
    from concurrent.futures import Executor

_LOCAL = re.compile(r"local:([1-9][0-9]{0,2})")
_REMOTE = re.compile(r"(tcp|tls|ucx|ws|wss)://[^\s/]+:[0-9]{1,5}")


def check_address(address: str) -> None:
    """Raises UsageError where an address of a cluster is spelled wrong."""
    if not (_LOCAL.fullmatch(address) or _REMOTE.fullmatch(address)):
        raise UsageError(
            "bad address of a cluster",
            found=repr(address),
            expected="tcp://HOST:8786 or tls://HOST:8786, as `dask scheduler` prints it, or local:4 for 4 processes",
        )


@contextmanager
def connected(address: str) -> Iterator[Executor]:
    """An executor whose tasks run on a cluster; leaving the block ends the connection, and the processes of ``local``.

    Args:
        address: ``tcp://HOST:PORT`` of a scheduler, or ``local:N`` for N processes of one thread each.

    Raises:
        UsageError: the address is spelled wrong, or dask is not installed.
        ClusterError: the scheduler does not answer.
    """
    check_address(address)
    try:
        import distributed  # noqa: F401 - the next import would hide what is missing
    except ImportError as error:
        raise UsageError("--cluster needs dask", hint=installation.hint("cluster")) from error
    from fourcc.cluster.dask_executor import local, remote

    found = _LOCAL.fullmatch(address)
    with remote(address) if found is None else local(int(found[1])) as executor:
        yield executor
