"""A workbench's worker that takes its first order and never answers, as one does whose kernel hangs in a disk."""

import signal
import sys

from wherry.boot.messages import Opening, receive

if __name__ == "__main__":
    receive(sys.stdin.buffer, Opening)
    signal.pause()
