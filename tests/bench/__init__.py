"""Benchmarks: each against a peer, in the same run on the same machine, the two taking turns.

``make bench`` prints a table; ``make bench ROW=clone`` runs one row.
"""
