"""Products of quantized matrices with activations: GEMV, GEMM, and the packed layouts that they read."""
