"""`python -m mainspring` is the same as the command `mainspring`."""

from mainspring.cli import main

main()
