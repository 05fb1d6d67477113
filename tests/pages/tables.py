"""Tables in pages that the package itself lists."""

from tests.markdown import filled


def checks() -> str:
    """The checks of the kit for formats, as a table."""
    from fourcc.testing import CHECKS

    rows = [f"| {check.name} | {check.promise} |" for check in CHECKS]
    return "\n".join(["| check | what is promised |", "|---|---|", *rows])


TABLES = {"checks": checks}


def renewed(page: str) -> str:
    """A page with its tables as they should be."""
    for name, table in TABLES.items():
        if f"<!-- {name}: begin -->" in page:
            page = filled(page, name, table())
    return page
