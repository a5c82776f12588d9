"""Files and batches of the gateway: what programs leave with it, and work that it does in its own time."""
