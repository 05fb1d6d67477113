"""Compiled kernels. A file directly in this folder is a format's kernel, under the stem of ``fourcc.formats``.

Two are not: ``kernel.py`` says what a kernel is, ``descriptors.py`` how it is told sizes and addresses.

===============  =====================================================================================================
compiler/        from a plain Python function to machine code, and its cache on disk
encoders/        rows of float32 to stored blocks, byte for byte as ``fourcc.formats`` does
fusing/          products made from a format's block decoder, which is traced
measuring/       the memory's and the processor's peak rates, and sums of errors
products/        products with activations, GEMV and GEMM, and the packed layouts and panels that they read
signals/         a message and an exit code where a mapped file is cut short, in place of a death by SIGBUS
simd/            operations on vectors: what they mean in Python, and what they are in LLVM
threads/         the team of threads, and programs that it runs without returning to Python
transformer/     attention, the layers around it, sampling
===============  =====================================================================================================
"""

if __name__ != "fourcc.kernels":
    raise ImportError(f"imported as {__name__!r}: this folder is the package fourcc.kernels")
