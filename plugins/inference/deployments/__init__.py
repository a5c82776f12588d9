"""Models of the hub that it serves itself, as workloads."""
