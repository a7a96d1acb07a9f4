"""Who may do what: accounts, users, keys, tokens, request signatures, join tokens, certificates."""
