"""The qemu driver: a target server is a virtual machine on this host, its disks overlays over what has landed."""
