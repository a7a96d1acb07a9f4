"""Wherry, a self-hosted server migration service that speaks the SMS v3 protocol."""
