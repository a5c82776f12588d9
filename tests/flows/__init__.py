"""Journeys with real clients against a hub that `hub serve` runs."""
