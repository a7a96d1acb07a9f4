"""Block devices and filesystems of this Linux: layout, used-block maps, freezing, direct I/O."""
