"""The command line: one command, one file; it parses, calls one function of the core, and renders."""

if __name__ != "fourcc.cli":
    raise ImportError(f"imported as {__name__!r}: this folder is the package fourcc.cli")
