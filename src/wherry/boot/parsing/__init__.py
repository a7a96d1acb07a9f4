"""Pure parsers of the files that decide how a system boots and reaches its network.

None of them raises on what it can't read, and each returns unchanged what it isn't asked to change.
"""
