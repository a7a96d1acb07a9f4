"""Which granules of the disks were written since when, by the kernel's own tracing, and whether that can be trusted.

`tracker.Tracker` is what the rest of the house uses. Two channels watch the completion of block requests: `ftrace` is
drained all the time, `ebpf` remembers while nobody drains. `trust` decides from what both counted and from the
kernel's disk statistics whether a write can have been missed.
"""
