"""Getting skills onto boards: transport, installation, supervision, fleets, a virtual board."""
