"""The report of a migration: read from the ledger, put together by a pure function, shown as JSON or as a page."""
