"""Bit and block layouts that several formats share."""
