"""Backups of a running platform: taken into a folder piece by piece, verified, and restored on another machine."""
