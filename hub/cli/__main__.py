"""``python -m hub.cli``: the ``hub`` command without its script."""

from hub.cli.main import main

main()
