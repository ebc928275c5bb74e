"""Who may see and do what: roles of a company's own, assignments of them, grants to other companies."""
