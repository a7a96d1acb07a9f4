"""Wherry, a self-hosted server migration service that speaks the SMS v3 protocol."""

import os

# numpy's linear algebra is never used here. Its threads, one for each processor, would spin before they sleep.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
