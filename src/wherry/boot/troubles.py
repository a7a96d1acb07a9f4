"""What a rehearsal can find, for people: codes 6210 to 6229. Each is a reason why a server isn't launched."""

from wherry.errors import WherryError


class BootLoaderMissing(WherryError):
    """The firmware finds nothing on the disks that it could start, or what it starts does nothing."""

    code = "WHERRY.6210"
    template = "The firmware of the target ({firmware}) finds no boot loader: {words}."
    default_cause = (
        "The boot loader isn't on the copied disks, is damaged, or is one for the other kind of firmware (BIOS, UEFI)."
    )
    default_fix = (
        "See that the disk with the boot loader is migrated and is the first one; have it installed anew on the target "
        "(`wherry boot plan` shows the change), or choose a target with the source's firmware."
    )


class BootLoaderStuck(WherryError):
    """The boot loader started and can't go on."""

    code = "WHERRY.6211"
    template = "The boot loader started and found no kernel: {words}."
    default_cause = (
        "GRUB can't find its own files or the kernel: /boot lies on a disk that wasn't migrated, or is damaged."
    )
    default_fix = "See that the disk with /boot is migrated; have the boot loader installed anew on the target."


class RootNotFound(WherryError):
    """The kernel runs and doesn't find the root filesystem."""

    code = "WHERRY.6212"
    template = "The kernel didn't find the root filesystem on the target's {bus} disks: {words}."
    default_cause = (
        "The initramfs lacks the driver of the target's disk bus, or the kernel's line names a root that isn't there."
    )
    default_fix = (
        "Have the initramfs rebuilt with the driver (`wherry boot plan` shows the change), or choose a target with the "
        "source's disk bus; compare root= on the kernel's line with the UUID of the root filesystem."
    )


class InitramfsStuck(WherryError):
    """The initramfs gave up for another reason than a missing root."""

    code = "WHERRY.6213"
    template = "The initramfs gave up: {words}."
    default_cause = "What it had to set up (LVM, LUKS, RAID, a check of the root filesystem) didn't come about."
    default_fix = "Read the console's text of the rehearsal; see that all disks of the server are migrated."


class KernelPanicked(WherryError):
    """The kernel stopped by itself."""

    code = "WHERRY.6214"
    template = "The kernel stopped: {words}."
    default_cause = (
        "The initramfs is damaged or missing, init can't be started, or the kernel doesn't run on this target."
    )
    default_fix = "Read the console's text of the rehearsal; rebuild the initramfs, or boot another installed kernel."


class EmergencyEntered(WherryError):
    """The server fell into emergency mode instead of coming up."""

    code = "WHERRY.6215"
    template = "The server fell into emergency mode: {words}."
    default_cause = "A filesystem that /etc/fstab names isn't on the migrated disks, or can't be mounted."
    default_fix = (
        "On the source correct the UUID in /etc/fstab, give the line the option nofail, or migrate the disk that holds "
        "the filesystem; the next pass carries it over."
    )


class ServerWentDown(WherryError):
    """The server reset or switched itself off, or its virtual machine ended."""

    code = "WHERRY.6216"
    template = "The server went down at the stage {stage!r} before it was up: {words}."
    default_cause = "Its kernel reset the machine, or something on it shuts it down when it starts."
    default_fix = "Read the console's text of the rehearsal and look at its screenshot."


class RehearsalTimeUp(WherryError):
    """The server was neither up nor in a trouble that shows when the time was up."""

    code = "WHERRY.6217"
    template = "The server wasn't up after {limit_s:.0f} s; it had come to the stage {stage!r}."
    default_cause = "It waits for something that a rehearsal doesn't have, the network perhaps, or this host is slow."
    default_fix = "Look at the console's text and the screenshot; rehearse again with a longer limit."


class ChecksFailed(WherryError):
    """The server is up, and a check of the user's failed in it."""

    code = "WHERRY.6218"
    template = "The server is up, but a check failed in it: {words}."
    default_cause = "What the check looks at isn't as it should be on the copy, or needs the network."
    default_fix = "Read the check's output in the rehearsal; run the same command on the source."


class UnitsFailed(WherryError):
    """The server is up, and units failed in it that hadn't failed on the source."""

    code = "WHERRY.6219"
    template = "The server is up, but units failed that had not failed on the source: {words}."
    default_cause = "They need something that the target doesn't have: a device, the network, an address."
    default_fix = (
        "Read the console's text of the rehearsal; where a unit's failure does no harm, rehearse without strict units."
    )


class ProbeSilent(WherryError):
    """The server shows its login prompt, and nothing is told from inside."""

    code = "WHERRY.6220"
    template = "The server shows a login prompt, but its probe told nothing, so that no check could be run."
    default_cause = "It doesn't use systemd, or forbids what the probe needs (SELinux, a service that is masked)."
    default_fix = "Look at the screenshot; leave out the checks for this server, and check it by hand after the launch."


class RehearsalStopped(WherryError):
    """Somebody stopped the rehearsal."""

    code = "WHERRY.6221"
    template = "The rehearsal was stopped at the stage {stage!r}."
    default_cause = "Somebody stopped it, or the receiver is ending."
    default_fix = "Nothing to do: rehearse again."


class PassphraseAwaited(WherryError):
    """The server asks for a passphrase, and there's none to be typed."""

    code = "WHERRY.6222"
    template = "The server waits for a passphrase at its console: {words}."
    default_cause = (
        "An encrypted disk is opened by whoever starts the server, and the folder of keys has no passphrase for it."
    )
    default_fix = (
        "Put the passphrase into the folder of keys (`wherry receiver --luks-keys`), in a file called by the LUKS "
        "UUID: it's typed in rehearsals then. A launched target always waits for its owner, at its console."
    )


class PassphraseRefused(WherryError):
    """The server asks for a passphrase again after one was typed."""

    code = "WHERRY.6223"
    template = "The server asks for a passphrase again: {words}; the one from the folder of keys didn't do."
    default_cause = (
        "The key opens the volume, but isn't what is asked for; or the server's keyboard has another layout."
    )
    default_fix = "Put the passphrase that the server's owner types into the file, and rehearse again."
