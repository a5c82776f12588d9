"""Floor 2: background jobs. Rows are the outbox, RQ the executor, Redis the courier."""
