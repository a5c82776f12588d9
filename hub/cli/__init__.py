"""Floor 9: the ``hub`` command. Groups are imported only when they are called."""
