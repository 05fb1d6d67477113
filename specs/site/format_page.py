"""."""
from pathlib import Path
def with_facts(markdown: str, uri: str, root: Path) -> str:
    return markdown
