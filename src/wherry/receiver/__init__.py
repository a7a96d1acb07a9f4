"""The program where disks land."""
