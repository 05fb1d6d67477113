"""Families of formats that differ in a few parameters."""
