"""Forecasts: what a conversion takes, whether its result fits, and how fast that runs (specs/forecast.md)."""
