"""Runs models: architectures, tokenizers, sampling, measuring."""
