"""The wire formats of other hubs' clients: the CSGHub SDK and huggingface_hub."""
