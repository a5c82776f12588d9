"""Floor 3: users, organisations, roles, tokens, keys, sessions, and ``can(actor, action, resource)``."""
