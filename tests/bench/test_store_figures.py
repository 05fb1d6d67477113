"""The stored figures are those of the pages."""

from fourcc.bench.format_figures import stored_figures
from fourcc.plugins.entries import OWN
from fourcc.plugins.registry import registry
from fourcc.tags import as_tag
from tests.bench import store_figures


def test_the_file_is_what_the_pages_say() -> None:
    """After a page was measured again, `python -m tests.bench.store_figures` renews it."""
    assert store_figures.TARGET.read_text(encoding="utf-8") == store_figures.document()


def test_every_format_with_figures_is_built_in() -> None:
    """Each has a divergence; those that decode only have none, and are not advised."""
    for tag, figures in stored_figures().formats.items():
        found = registry[as_tag(tag)]
        assert registry.entry(as_tag(tag)).distribution == OWN
        assert found.encode is not None
        assert figures.divergence > 0
        assert figures.gb_s is None or figures.gb_s > 0
