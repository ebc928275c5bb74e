"""The nouns of the shared business model: ISA-95 for things, people and work; apps are projections of them."""
