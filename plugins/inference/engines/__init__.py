"""Engines: programs that serve a model of a repository. What they are, which fits which model, how each is started.

Source of every "compute contract, section N" in this package: the contract of compute services.
"""
