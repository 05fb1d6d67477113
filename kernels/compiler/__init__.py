"""From plain Python functions to machine code, and the cache of it on disk."""
