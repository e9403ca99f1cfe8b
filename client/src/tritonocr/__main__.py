"""`python -m tritonocr`: the same as the command `tritonocr`."""

from .cli import main

main()
