"""A landed system opened inside of a small virtual machine, by libguestfs: for disks that nobody vouches for."""
