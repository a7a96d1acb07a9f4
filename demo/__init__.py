"""The demonstration: a live disk moves while programs write on it, and foreign tools judge the copy."""
