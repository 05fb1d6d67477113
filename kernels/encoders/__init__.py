"""Compiled encoders, and the bit layouts and searches that they share."""
