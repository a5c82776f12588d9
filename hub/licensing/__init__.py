"""Licences: which edition this hub is, which features it has, and how many people and machines it may serve."""
