"""Running a model: architectures, tokenizers, sampling."""
