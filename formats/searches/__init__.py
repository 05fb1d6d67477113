"""Searches for scales, offsets and levels that several encoders share."""
