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
        "Volumes of LVM and md, and what is encrypted by LUKS, are opened in a virtual machine only, away from this "
        "machine's own."
    )
    default_fix = (
        "Leave --trusted out, or let the receiver work with --workbench guestfs; for LUKS name the folder of keys by "
        "--luks-keys."
    )


class LibguestfsMissing(WherryError):
    """The library that opens disks in a virtual machine isn't there."""

    code = "WHERRY.6110"
    template = "libguestfs can't be used: {reason}."
    default_cause = "Its package isn't installed, or it's another version's."
    default_fix = (
        "Install the package (Debian: libguestfs-tools; Fedora: libguestfs), or name disks you trust --trusted."
    )


class ApplianceFailed(WherryError):
    """The virtual machine in which libguestfs opens disks doesn't start on this host."""

    code = "WHERRY.6111"
    template = "The virtual machine that opens disks can't be started: {reason}."
    default_cause = (
        "This host has no kernel of its own in /boot, as in a container, or lacks QEMU, memory, or room in /var/tmp; "
        "the last words of libguestfs are in the message."
    )
    default_fix = (
        "Install a kernel (Debian: linux-image-amd64), or name one by SUPERMIN_KERNEL, SUPERMIN_KERNEL_VERSION and "
        "SUPERMIN_MODULES in the environment and make the folder /lib/modules. `libguestfs-test-tool` tells more."
    )


class VolumeLocked(WherryError):
    """There's no key for the encrypted volume that the root filesystem may lie in."""

    code = "WHERRY.6112"
    template = "No root filesystem was found, and it may lie in what is encrypted and locked: {volumes}."
    default_cause = "The disk is encrypted by LUKS, and the folder of keys has no file for it, or wasn't named."
    default_fix = (
        "Put its passphrase or key into a file that is called by the UUID, in a folder that only the program's user "
        "can read (mode 700, the file 600), and name the folder by --luks-keys."
    )


class LuksKeyRefused(WherryError):
    """The key doesn't open the volume."""

    code = "WHERRY.6113"
    template = "The key for the encrypted volume {volume} doesn't open it."
    default_cause = (
        "It's the key of another volume, was changed on the source, or stands in the file with more around it."
    )
    default_fix = (
        "Try it on the source: `cryptsetup open --test-passphrase --key-file FILE DEVICE`. A passphrase stands in the "
        "file alone; an end of line after it does no harm."
    )


class LuksKeyUnusable(WherryError):
    """A key, or the folder of keys, isn't used as it is."""

    code = "WHERRY.6114"
    template = "The key in {path} isn't used: {reason}."
    default_cause = "Keys are used only where nobody else can read them, and as long as they can be handed on."
    default_fix = (
        "Give it to the program's user alone (chmod 700 for the folder, 600 for the file). For a key with zero bytes "
        "add a passphrase to the volume (`cryptsetup luksAddKey`), and use that."
    )
