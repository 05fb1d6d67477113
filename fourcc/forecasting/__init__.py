"""Forecasts: what a conversion takes, and whether the model that it makes fits and how fast it runs (specs/forecast.md)."""
