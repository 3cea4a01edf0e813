"""``python -m lockage``."""

from lockage.cli import main

main()
