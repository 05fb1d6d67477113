"""A model's page in the browser, served until Ctrl-C."""

from __future__ import annotations

from pathlib import Path

from fourcc.cli.render import terminal
from fourcc.cli.shared.signals import TerminatedError


def serve_model(source: Path, port: int, *, open_page: bool, quiet: bool) -> None:
    """Makes the report of a model, and serves it at the loopback address; the address goes to stdout.

    Args:
        source: the model.
        port: to listen on; 0: any that is free.
        open_page: whether the browser is opened.
        quiet: whether nothing but the address is printed.
    """
    from fourcc.cli.render.progress import Progress
    from fourcc.reporting.gather import ReportRequest, gather
    from fourcc.reporting.page import check_jinja, page
    from fourcc.reporting.serving import serve

    check_jinja()
    with Progress("reading", 0, quiet=quiet, unit="tensors") as progress:
        made = gather(ReportRequest(source), progress)
    terminal.notes(made.troubles, quiet=quiet)

    def ready(address: str) -> None:
        terminal.out(address)
        terminal.flush()
        if not quiet:
            terminal.err("fourcc: Ctrl-C ends")
        if open_page:
            _browse(address)

    try:
        serve(page(made), port, ready)
    except TerminatedError:
        raise
    except KeyboardInterrupt:
        return  # the way to end it


def _browse(address: str) -> None:
    import webbrowser

    webbrowser.open(address)
