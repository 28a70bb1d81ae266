"""What is in a file: one module per kind of file. Files are read, never executed."""
