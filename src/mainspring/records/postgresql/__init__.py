"""PostgreSQL as Django speaks to it, told for which company each statement is."""
