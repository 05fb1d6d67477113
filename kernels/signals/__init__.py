"""Handlers of signals, as machine code."""
