"""A shootout: all installed formats on one model's own tensors, by size, error and speed."""
