"""``python -m maskcheck``."""

from maskcheck.cli import main

main(prog_name="maskcheck")
