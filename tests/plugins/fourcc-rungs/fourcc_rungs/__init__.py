"""One layout on three rungs of speed."""
