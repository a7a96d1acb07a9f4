"""The rules of a migration: states, actions, commands, subtasks, checks. Pure functions over frozen data."""
