"""The gateway: from a client's request to a model's answer, counted."""
