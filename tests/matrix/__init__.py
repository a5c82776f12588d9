"""Who may ask for what: every route, every role."""
