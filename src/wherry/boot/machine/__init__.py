"""Virtual machines by QEMU: what they consist of, and one that runs."""
