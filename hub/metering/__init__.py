"""What was used, by whom and when: events that are counted once."""
