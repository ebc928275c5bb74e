"""Sheets that people send: read within limits, checked row by row, loaded in pieces, taken back."""
