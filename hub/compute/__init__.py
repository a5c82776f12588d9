"""Workloads: what runs for people (services, jobs, notebooks, spaces), and the drivers that run it."""
