"""The largest number of activations for which a product without panels is faster, by kind of kernel.

Making a panel pays only if enough activations are multiplied by it. All numbers were measured on Zen 4; see
decision 0009.
"""

BYTE_ROWS = 3  # rows of bytes, multiplied by one activation after the other: Q8_0, Q8_A, Q8_B
BLOCK_DECODERS = 12  # blocks that a traced decoder decodes in registers
FLOAT_ROWS = 16  # rows of floats: F32, F16, BF16
PACKED_ROWS = 24  # packed rows: ggml's formats of fewer than eight bits
TABLE_ROWS = 40  # rows of indices into tables: Q4_A
