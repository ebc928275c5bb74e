"""SCIM 2.0: a company's directory makes, changes and ends accounts and the roles they have."""
