"""The team of threads that shares the rows of a job, and the programs that it runs."""
