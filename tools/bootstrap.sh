#!/usr/bin/env bash
# Prepare this machine: Debian packages where a program is missing (root only), then .venv from uv.lock.
# Called by the Makefile; safe to run again. With `test`, `vm` or `bench` it installs what only those need: a browser and
# a database server, virtual machines and what builds their disks, or the peers that are raced against.
set -euo pipefail
cd "$(dirname "$0")/.."

UV_VERSION=0.13.9

# program:package pairs, for make demo and make test. A program is a command or a pattern of paths.
NEEDED=(
  mkfs.ext4:e2fsprogs dumpe2fs:e2fsprogs mkfs.xfs:xfsprogs xfs_db:xfsprogs mkfs.btrfs:btrfs-progs
  sfdisk:fdisk losetup:mount mount:mount partx:util-linux setpriv:util-linux cmp:diffutils
)
case "${1:-}" in
  test)
    NEEDED+=(
      chromium:chromium /usr/lib/postgresql/*/bin/postgres:postgresql
      "/usr/lib/*/libfuse3.so.3:libfuse3-3" "/usr/lib/*/faketime/libfaketimeMT.so.1:libfaketime"
      mformat:mtools qemu-img:qemu-utils qemu-storage-daemon:qemu-system-common
    )
    ;;
  vm)
    NEEDED+=(
      qemu-system-x86_64:qemu-system-x86 qemu-img:qemu-utils "/usr/share/OVMF/OVMF_CODE*.fd:ovmf" mmdebstrap:mmdebstrap
      mformat:mtools ssh:openssh-client ssh-keygen:openssh-client tar:tar lvcreate:lvm2
      thin_restore:thin-provisioning-tools cryptsetup:cryptsetup-bin
      qemu-storage-daemon:qemu-system-common "/usr/lib/*/libguestfs.so.0:libguestfs0"
    )
    ;;
  bundle) NEEDED+=(strip:binutils ldd:libc-bin) ;;
  bench)
    NEEDED+=(
      rsync:rsync qemu-img:qemu-utils nbdcopy:libnbd-bin zstd:zstd partclone.ext4:partclone fio:fio ip:iproute2
      /usr/lib/postgresql/*/bin/postgres:postgresql
    )
    ;;
esac

say() { printf 'bootstrap: %s\n' "$*" >&2; }

# Non-login shells of ordinary users lack the sbin directories, where most of these programs live.
export PATH="$PATH:/usr/local/sbin:/usr/sbin:/sbin"

missing_packages() {
  local pair
  for pair in "${NEEDED[@]}"; do
    command -v "${pair%%:*}" >/dev/null || compgen -G "${pair%%:*}" >/dev/null || echo "${pair##*:}"
  done
  python3 -c 'import ensurepip, venv' 2>/dev/null || echo python3-venv
}

install_packages() {
  local packages
  mapfile -t packages < <(missing_packages | sort -u)
  ((${#packages[@]})) || return 0
  if ((EUID != 0)) || ! command -v apt-get >/dev/null; then
    say "not installed here: ${packages[*]} (need root and apt-get); what uses them is skipped or fails with their names"
    return 0
  fi
  say "installing ${packages[*]}"
  # A third-party source that can't be reached doesn't matter as long as the packages themselves can be had.
  apt-get update -qq || true
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${packages[@]}" >/dev/null
}

install_python_packages() {
  export UV_PYTHON_DOWNLOADS=never
  if [[ "$(build/uv/bin/uv --version 2>/dev/null)" != "uv $UV_VERSION"* ]]; then
    say "installing uv $UV_VERSION"
    python3 -m venv --clear build/uv
    build/uv/bin/python -m pip install --quiet --disable-pip-version-check "uv==$UV_VERSION"
  fi
  [[ -x .venv/bin/python ]] || build/uv/bin/uv venv --quiet --python "$(command -v python3)" .venv
  say "installing Python packages from uv.lock"
  build/uv/bin/uv sync --frozen --quiet
}

install_packages
install_python_packages
