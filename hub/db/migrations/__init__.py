"""The core's migrations, Alembic branch ``hub``. Plugins bring branches of their own."""
