"""Where a server can land: one module a kind of place, all of one interface."""
