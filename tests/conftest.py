"""What holds for all tests: examples of Hypothesis have no deadline, since how long they take says how busy we are."""

from hypothesis import settings

settings.register_profile("wherry", deadline=None)
settings.load_profile("wherry")
