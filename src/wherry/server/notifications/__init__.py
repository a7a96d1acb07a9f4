"""Telling the world outside what has happened: the ways by which it's told, and the loop that does it."""
