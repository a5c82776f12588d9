"""The driver ``local``: workloads as processes of this machine, looked after by a supervisor of their own.

Three programs take part. The driver (``driver.py``) runs in every process of the hub and only asks. The supervisor
(``supervisor.py``, one a home) decides what is to run. A keeper (``keeper.py``, one for each process that runs for
somebody) is that process's parent: it reads what it prints, notes how it ended, and ends all that it started. Because
the keeper is no part of the supervisor, both can die and come back without the workload's noticing.
"""
