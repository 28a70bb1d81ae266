"""Which layer is computed in what, and the network that a plan becomes."""
