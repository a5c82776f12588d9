"""Floor 0: what every room needs and nothing that knows of a room."""
