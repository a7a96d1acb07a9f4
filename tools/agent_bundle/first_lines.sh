#!/bin/sh
# The Wherry agent for x86-64 Linux in one file: these lines, and behind them a compressed archive with the agent, the
# Python that runs it and the C library that Python was made for. So it needs nothing of this system but a shell, tail,
# gzip and tar.
#
# It is unpacked at each start, into memory: the agent freezes the filesystems of the server that it runs on, and must
# not depend on them then. As root that is a tmpfs of its own, taken out of sight at once: only descriptor 9 leads to it,
# and it is gone when the last process that holds the descriptor ends, however it ends.
set -eu
umask 077

refuse() {
    echo "wherry-agent: $*" >&2
    exit 1
}

unpack() {
    tail -c +@OFFSET@ "$0" | gzip -dc | tar -xof - -C "$1" || refuse "$0 could not be unpacked; get it anew"
}

# A folder with a tmpfs of its own on it. Fails where this process may not mount.
mount_memory() {
    [ "$(id -u)" = 0 ] || return 1
    for place in /run /dev/shm /tmp; do
        folder=$(mktemp -d "$place/wherry-agent.XXXXXXXX" 2>/dev/null) || continue
        mount -t tmpfs -o mode=0700,size=@SIZE@ wherry-agent "$folder" 2>/dev/null && return 0
        rmdir "$folder"
    done
    return 1
}

# A folder where programs may be run, in memory if there is one. The agent removes it when it ends.
make_folder() {
    for place in "${XDG_RUNTIME_DIR:-/run}" /dev/shm "${TMPDIR:-/tmp}" /var/tmp; do
        folder=$(mktemp -d "$place/wherry-agent.XXXXXXXX" 2>/dev/null) || continue
        printf '#!/bin/sh\n' >"$folder/try" && chmod 700 "$folder/try"
        "$folder/try" 2>/dev/null && rm "$folder/try" && return 0
        rm -rf "$folder"
    done
    return 1
}

[ "$(uname -m)" = x86_64 ] || refuse "this is the agent for x86-64, and the machine is $(uname -m)"
unset WHERRY_UNPACKED
if mount_memory; then
    trap 'umount -l "$folder"; rmdir "$folder"' EXIT
    trap 'exit 1' HUP INT TERM
    unpack "$folder"
    exec 9<"$folder"
    umount -l "$folder"
    rmdir "$folder"
    trap - EXIT HUP INT TERM
elif make_folder; then
    trap 'rm -rf "$folder"' EXIT
    trap 'exit 1' HUP INT TERM
    unpack "$folder"
    exec 9<"$folder"
    trap - EXIT HUP INT TERM
    export WHERRY_UNPACKED="$folder"
else
    refuse "there is no folder to unpack it to in which programs may be run; run it as root, or set TMPDIR"
fi
here=/proc/self/fd/9
exec "$here/@LOADER@" --inhibit-cache --library-path "$here/@LIBRARIES@" "$here/@PYTHON@" -I -X utf8 -m @ENTRY@ "$@"
