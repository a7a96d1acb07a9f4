"""The signed HTTP client of the control plane, used by agent, receiver and command line."""
