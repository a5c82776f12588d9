"""The hub: a forge for AI assets. Rooms stand on floors; see README, "How the code is laid out"."""

__version__ = "0.1.0"
