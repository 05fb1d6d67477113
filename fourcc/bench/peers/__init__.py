"""Other projects' kernels, on the same matrices in the same run. Each project has a file; results name missing ones."""
