"""Calibration: statistics of what a model's matrices are multiplied with, collected from a text, and their files."""
