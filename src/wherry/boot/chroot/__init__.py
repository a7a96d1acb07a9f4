"""A landed system opened by this machine's own kernel: fast, and only for systems whose disks are trusted."""
