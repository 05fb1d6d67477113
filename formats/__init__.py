"""The built-in formats: one file a tag, pure numpy, written to be read.

A file holds one `fourcc.format.Format`. A line in ``pyproject.toml`` names it under the entry-point group
``fourcc.formats``, as in a third party's package. Its page is ``specs/<stem>.md``; ``specs/vectors/`` pins its bytes.
"""

if __name__ != "fourcc.formats":
    raise ImportError(f"imported as {__name__!r}: this folder is the package fourcc.formats")
