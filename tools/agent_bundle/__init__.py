"""The builder of the agent's bundle: one file that runs on any x86-64 Linux, whatever its C library or Python."""
