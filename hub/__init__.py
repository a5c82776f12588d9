"""The hub: a forge for AI assets. Rooms stand on floors; see README, "How the code is laid out"."""

__version__ = "0.1.0"

# The day of this release; a perpetual licence covers releases until the end of its maintenance.
BUILD_DATE = "2026-11-27"
