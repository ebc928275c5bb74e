"""A gateway on another machine: one file, one token, and everything else from the platform."""
