"""The resolution node for identifiers."""
