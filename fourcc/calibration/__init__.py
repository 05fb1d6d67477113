"""Calibration: statistics of a model's inputs on a text, and the costs of formats; their files, and what follows."""
