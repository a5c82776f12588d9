"""Figures for Prometheus at ``/-/metrics``: the hub's own, and those of every plugin."""
