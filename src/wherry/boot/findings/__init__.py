"""What there is in a landed system, one module a subject. All of them only read."""
