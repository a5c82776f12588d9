"""Floor 1: the database: engine, model base, unit of work, migrations."""
