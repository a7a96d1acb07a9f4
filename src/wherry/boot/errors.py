"""What can go wrong when a landed system is converted, for people: codes 6101 to 6199."""

from wherry.errors import WherryError


class WorkbenchFailed(WherryError):
    """The disks of a landed system can't be opened, or a file in them can't be changed."""

    code = "WHERRY.6101"
    template = "The landed system can't be worked on: {reason}."
    default_cause = "A filesystem of the copy is damaged, or this machine lacks what is needed to open it."
    default_fix = "Read the reason; compare the copy with its proof by `wherry verify`, then try again."


class LinkLoop(WorkbenchFailed):
    """The symbolic links of a path in the landed system lead in a circle."""

    code = "WHERRY.6102"
    template = "The symbolic links at {path} in the landed system lead in a circle."
    default_cause = "The source has the same links, or its disk is damaged."
    default_fix = "Mend the links on the source; the next pass carries them over."


class NoSystem(WherryError):
    """The disks hold no system: there's nothing to boot."""

    code = "WHERRY.6103"
    template = "None of the {count} disk(s) holds a root filesystem."
    default_cause = "They are data disks, or the root lies on something that can't be opened here."
    default_fix = "Name all disks of the server. Data disks need no conversion: attach them as they are."


class InitramfsUnreadable(WherryError):
    """What an initramfs carries can't be told."""

    code = "WHERRY.6104"
    template = "The initramfs can't be read: {reason}."
    default_cause = "It's damaged, or packed in a way that Wherry doesn't know."
    default_fix = (
        "Rebuild it on the source (`update-initramfs -u`, `dracut --force`) and let the next pass carry it over."
    )


class PlanOutdated(WherryError):
    """The landed system isn't what the change set was planned for."""

    code = "WHERRY.6105"
    template = "{path} in the landed system isn't what it was when the change set was planned."
    default_cause = "The disks were changed since, or the change set belongs to others."
    default_fix = "Plan again on the disks as they are; undo an earlier change set first."


class GuestProgramFailed(WherryError):
    """A program of the landed system, run for a change, failed."""

    code = "WHERRY.6106"
    template = "{program} of the landed system ended with status {status}: {words}"
    default_cause = "Its last words tell: often a full /boot, or a package that is broken on the source too."
    default_fix = "Mend it on the source, where the same program fails too, and let the next pass carry it over."


class InitramfsIncomplete(WherryError):
    """The rebuilt initramfs still lacks a driver."""

    code = "WHERRY.6107"
    template = "{path} was rebuilt, and still lacks {modules}."
    default_cause = "The system's configuration of its initramfs leaves the driver out."
    default_fix = "Look for lists of left out drivers (omit_drivers of dracut, blacklists) on the source."


class PlanBlocked(WherryError):
    """The system can't boot on the target machine, whatever is changed."""

    code = "WHERRY.6108"
    template = "The system can't be made to boot there: {reason}"
    default_cause = "The target machine and the system don't fit together."
    default_fix = "See `wherry boot plan`; choose another firmware or disk bus for the target."


class LayoutUnknown(WherryError):
    """The root filesystem lies in something that this workbench doesn't open."""

    code = "WHERRY.6109"
    template = "The root filesystem lies in {layout}, which can't be opened here."
    default_cause = (
        "Volumes of LVM and md are opened in a virtual machine only, away from this machine's own; what is encrypted "
        "by LUKS can't be opened without its key, which stays with its owner."
    )
    default_fix = (
        "For LVM and md leave --trusted out. For LUKS prepare the source itself (fstab by UUID, an initramfs with all "
        "drivers), and rehearse the launch."
    )


class LibguestfsMissing(WherryError):
    """The library that opens disks in a virtual machine isn't there."""

    code = "WHERRY.6110"
    template = "libguestfs can't be used: {reason}."
    default_cause = "Its package isn't installed, or it's another version's."
    default_fix = (
        "Install the package (Debian: libguestfs-tools; Fedora: libguestfs), or name disks you trust --trusted."
    )
