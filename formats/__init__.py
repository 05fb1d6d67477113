"""The built-in formats: one tag, one file, pure numpy, the readable truth.

Each file holds one `fourcc.format.Format`, named by one line in ``pyproject.toml`` under the entry-point group
``fourcc.formats``, as a third party's would be. Its page is ``specs/<stem>.md``, its bytes are pinned in
``specs/vectors/``.
"""

if __name__ != "fourcc.formats":
    raise ImportError(f"imported as {__name__!r}: this folder is the package fourcc.formats")
