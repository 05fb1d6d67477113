"""Calibration: statistics of a model on a text, and the costs of each format for each tensor."""
