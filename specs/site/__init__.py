"""The documentation site: what is made while `mkdocs build` runs, from the code and from measured tables."""
