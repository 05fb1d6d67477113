"""Whole models of random weights: prompts, generated tokens, memory; beside llama.cpp where it is installed."""
