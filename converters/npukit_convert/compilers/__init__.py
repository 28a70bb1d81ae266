"""Compilers of vendors: jobs in folders, the hosts that run them, and their command lines."""
