"""The command line of npukit: the only place that prints and that ends the process."""
