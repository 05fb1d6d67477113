"""A transformer's operations beside its matrices: norms, rotation, attention, sampling."""
