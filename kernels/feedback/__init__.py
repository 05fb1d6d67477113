"""Error feedback, compiled: the factor of a Hessian, and codes chosen column by column."""
