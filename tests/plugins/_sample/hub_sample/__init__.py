"""Notes on repositories: small, but it uses every extension point of the hub once."""
