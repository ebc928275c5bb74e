"""The history store and the historian, the only process that opens it."""
