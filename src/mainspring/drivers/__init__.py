"""One file per protocol a device speaks."""
