"""The home of compiled kernels: numba only, same stems as ``fourcc.formats``. There is none yet."""

if __name__ != "fourcc.kernels":
    raise ImportError(f"imported as {__name__!r}: this folder is the package fourcc.kernels")
