"""The inputs of `predict()`: find the files that an argument names, and read their content."""
