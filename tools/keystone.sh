#!/usr/bin/env bash
# A real OpenStack Keystone for tests and races, from PyPI, in a virtual environment of its own.
#   tools/keystone.sh install          put it into build/keystone
#   tools/keystone.sh serve DIR PORT   make its database and keys in DIR at the first time, then serve it on 127.0.0.1:PORT
#                                      until SIGTERM; the password of its user admin comes in KEYSTONE_ADMIN_PASSWORD
set -euo pipefail
ROOT=$(cd "$(dirname "$0")/.." && pwd)

KEYSTONE_VERSION=30.0.0
UWSGI_VERSION=2.0.30.post1
BIN=$ROOT/build/keystone/bin
MARK=$ROOT/build/keystone/installed-$KEYSTONE_VERSION-$UWSGI_VERSION

install_keystone() {
  [[ -e $MARK ]] && return
  printf 'keystone: installing keystone %s into build/keystone\n' "$KEYSTONE_VERSION" >&2
  python3 -m venv --clear "$ROOT/build/keystone"
  "$BIN/python" -m pip install --quiet --disable-pip-version-check \
    "keystone==$KEYSTONE_VERSION" "pyuwsgi==$UWSGI_VERSION" 2>&1 | grep -v '^WARNING: Location' >&2 || true
  "$BIN/python" -c 'import keystone, pyuwsgi'
  touch "$MARK"
}

manage() {
  "$BIN/keystone-manage" --config-file "$DIR/keystone.conf" "$@" 2>>"$DIR/manage.log"
}

prepare() {
  mkdir -p "$DIR"
  cat >"$DIR/keystone.conf" <<CONFIG
[DEFAULT]
use_stderr = true
[database]
connection = sqlite:///$DIR/keystone.db
[fernet_tokens]
key_repository = $DIR/fernet
[fernet_receipts]
key_repository = $DIR/receipts
[credential]
key_repository = $DIR/credential
[cache]
enabled = true
backend = dogpile.cache.memory
CONFIG
  manage db_sync
  manage fernet_setup --keystone-user "$(id -un)" --keystone-group "$(id -gn)"
  manage receipt_setup --keystone-user "$(id -un)" --keystone-group "$(id -gn)"
  manage credential_setup --keystone-user "$(id -un)" --keystone-group "$(id -gn)"
  OS_BOOTSTRAP_PASSWORD=$KEYSTONE_ADMIN_PASSWORD manage bootstrap --bootstrap-public-url "http://127.0.0.1:$PORT/v3"
  touch "$DIR/prepared"
}

export PYTHONWARNINGS=ignore
case "${1:-}" in
  install) install_keystone ;;
  serve)
    DIR=$2 PORT=$3
    [[ -e $DIR/prepared ]] || prepare
    export OS_KEYSTONE_CONFIG_FILES=$DIR/keystone.conf
    exec "$BIN/uwsgi" --http-socket "127.0.0.1:$PORT" --master --processes 1 --die-on-term --need-app \
      --buffer-size 16384 --disable-logging --add-header "Connection: close" --module keystone.wsgi.api:application
    ;;
  *) sed -n '2,5s/^# \{0,3\}//p' "$0" >&2; exit 2 ;;
esac
