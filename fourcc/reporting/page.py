"""The page of a report: one HTML file that loads nothing, by the template in ``templates/``."""

from __future__ import annotations

import base64
import hashlib
from functools import cache
from importlib import import_module
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from fourcc import __version__, installation
from fourcc.drawing.markup import lines
from fourcc.drawing.styles import stylesheet
from fourcc.drawing.table import facts
from fourcc.errors import UsageError, shown
from fourcc.reporting import sections
from fourcc.reporting.map_cells import model_map
from fourcc.reporting.panels import panels

if TYPE_CHECKING:
    from fourcc.reporting.document import ModelReport

TEMPLATES = files("fourcc.reporting") / "templates"
PARTING = "<!--panel-->"  # between the panels: the script takes one out when it is opened, so that the page loads fast
OPEN_ROWS = 80  # a table of more rows is folded at first


def page(report: ModelReport) -> str:
    """The page as text. Raises UsageError where jinja2 is not installed."""
    template = _template()
    markup = import_module("markupsafe").Markup
    style, script = stylesheet() + _text("page.css"), _text("page.js")
    pieces = {name: markup(piece) for name, piece in _pieces(report).items()}
    text: str = template.render(
        report=report,
        figures=sections.figures(report),
        rule_totals=sections.rule_totals,
        lines=lambda value: markup(lines(value)),
        open_rows=OPEN_ROWS,
        version=__version__,
        style=markup(style),
        script=markup(script),
        style_hash=_hash(style),
        script_hash=_hash(script),
        **pieces,
    )
    return text


def check_jinja() -> Any:  # noqa: ANN401 - a module
    """The package jinja2. Raises UsageError where it is not installed."""
    try:
        return import_module("jinja2")
    except ImportError as error:
        what = "a report needs the package jinja2, which is not installed"
        raise UsageError(what, hint=installation.hint("report")) from error


def _pieces(report: ModelReport) -> dict[str, str]:
    """The pieces that are drawn, as markup."""
    pieces = {
        "map": model_map(report) if report.tensors else "",
        "formats": sections.formats(report),
        "tensors": sections.all_tensors(report),
        "file_facts": facts(report.facts),
        "hyper_facts": facts(report.hyper),
        "panels": PARTING.join(panels(report)),
        "differences": sections.differences(report) if report.compared else "",
        "totals": sections.compared_totals(report, report.compared) if report.compared else "",
        "calibration_facts": facts(report.calibration),
    }
    if report.frontier is not None:
        names = report.name, "" if report.compared is None else report.compared.name
        pieces |= {
            "frontier": sections.frontier_picture(report.frontier, names),
            "single_formats": sections.single_formats(report.frontier),
            "costs_facts": facts(report.frontier.facts),
        }
    return pieces


@cache
def _template() -> Any:  # noqa: ANN401 - jinja2's
    jinja2 = check_jinja()
    markup = import_module("markupsafe").Markup
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: value if isinstance(value, markup) else shown(value, 2000),
    )
    return environment.from_string(_text("page.html"))


def _text(name: str) -> str:
    return (TEMPLATES / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    """A text's hash as a Content-Security-Policy has it."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}'"
