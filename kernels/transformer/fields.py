"""The offsets of a model's and of a layer's descriptor's fields, in bytes, as the kernels of this folder read them.

Each kernel has the signature of all kernels; rows are activations. The first descriptor
(`fourcc.kernels.descriptors.MODEL`) says what the model is, the second (`LAYER_JOB`) where the activations are. Buffers
are rows of float32 with zeros up to a multiple of 512, on cache lines; a kernel that fills one leaves zeros there.
"""

from __future__ import annotations

from fourcc.kernels.descriptors import LAYER_JOB, MODEL

INPUT, INPUT_STRIDE = LAYER_JOB.offset("input"), LAYER_JOB.offset("input_stride")
SECOND, SECOND_STRIDE = LAYER_JOB.offset("second"), LAYER_JOB.offset("second_stride")
OUTPUT, OUTPUT_STRIDE = LAYER_JOB.offset("output"), LAYER_JOB.offset("output_stride")
KEYS, VALUES, POSITION = LAYER_JOB.offset("keys"), LAYER_JOB.offset("values"), LAYER_JOB.offset("position")

WIDTH, HEADS, KV_HEADS = MODEL.offset("width"), MODEL.offset("heads"), MODEL.offset("kv_heads")
HEAD, CONTEXT, ROTATION = MODEL.offset("head"), MODEL.offset("context"), MODEL.offset("rotation")
WEIGHT, EPSILON, SCALE = MODEL.offset("weight"), MODEL.offset("epsilon"), MODEL.offset("scale")
UNIT, BESIDE, COUNT = MODEL.offset("unit"), MODEL.offset("beside"), MODEL.offset("count")
WINDOW, TURNED, SINKS = MODEL.offset("window"), MODEL.offset("turned"), MODEL.offset("sinks")
BIAS, WEIGHT_STRIDE, SOFTCAP = MODEL.offset("bias"), MODEL.offset("weight_stride"), MODEL.offset("softcap")
FACTOR, LIMIT = MODEL.offset("factor"), MODEL.offset("limit")
