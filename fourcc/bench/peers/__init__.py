"""Other projects' kernels, on the same matrices in the same run. One project, one file; a missing one is named."""
