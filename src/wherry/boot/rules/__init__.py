"""What has to be changed and why, one module a subject. Pure functions of a system and its target machine.

Each is called with the system as the rules before it leave it, and yields changes and notices.
"""
