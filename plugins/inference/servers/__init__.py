"""Servers that engines run, each in an environment of its own: none of them imports anything of the hub."""
