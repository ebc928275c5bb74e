"""Industrial apps: what they may build with (`kit`, `nouns`), and how they are found and started (`loading`)."""
