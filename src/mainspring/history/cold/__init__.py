"""Cold history: whole past days in Parquet files, found, moved and read beside the tables."""
