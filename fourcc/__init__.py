"""fourcc: a pluggable registry of quantization formats for language-model weights."""

__version__ = "0.1.0"
