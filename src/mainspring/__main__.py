"""`python -m mainspring` is the same as the command `mainspring`."""

import sys

# Logs would be coloured by it where other tools have brought it along: a quarter of the time each role takes to start.
sys.modules["rich"] = None  # type: ignore[assignment]

from mainspring.cli import main  # noqa: E402

main()
