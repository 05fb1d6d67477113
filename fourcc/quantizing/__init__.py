"""From a checkpoint to a quantized file in one call: converting, allocating and exporting behind `fourcc.quantize`."""
