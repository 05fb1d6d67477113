"""Positioned reads, atomic writes, and what a file's first bytes say."""
