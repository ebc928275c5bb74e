"""One folder per industrial app."""
