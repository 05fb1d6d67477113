"""The compiled kernels: numba only, same stems as ``fourcc.formats``."""

if __name__ != "fourcc.kernels":
    raise ImportError(f"imported as {__name__!r}: this folder is the package fourcc.kernels")
