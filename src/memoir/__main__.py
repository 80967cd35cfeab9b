"""``python -m memoir``."""

from memoir.cli import main

main()
