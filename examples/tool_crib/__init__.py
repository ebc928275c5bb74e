"""Tool crib: who holds which tool, and whether it may be used."""
