"""Races of Wherry against its peers: the same work, one run, interleaved, printed as ratios."""
