#!/bin/sh
# Installs the Wherry agent on this server, or renews it, and starts it. The control plane made this script for itself.
#
#   sh SCRIPT URL [OPTIONS OF THE AGENT]
#
# URL is where this server reaches the control plane. The join token comes in WHERRY_TOKEN or on standard input; a server
# that has joined needs none; a copy of such a server does. To be rid of the agent again:
#   systemctl disable --now wherry-agent
#   rm -r /usr/local/bin/wherry-agent /etc/wherry-agent /var/lib/wherry-agent /etc/systemd/system/wherry-agent.service
set -eu
umask 077

agent_digest=@AGENT_DIGEST@
ca='@CA@'

program=/usr/local/bin/wherry-agent
settings=/etc/wherry-agent
state=/var/lib/wherry-agent
unit=/etc/systemd/system/wherry-agent.service
join_limit_s=60

refuse() {
    echo "wherry-agent: $*" >&2
    exit 1
}

check_server() {
    [ "$(id -u)" = 0 ] || refuse "this has to be run as root"
    [ "$(uname -s) $(uname -m)" = "Linux x86_64" ] || refuse "the agent is for Linux on x86-64, not for $(uname -sm)"
    for needed in sha256sum tail gzip tar mktemp; do
        command -v "$needed" >/dev/null || refuse "the program $needed is missing"
    done
}

has_joined() {
    [ -e "$state/credentials.json" ]
}

# What an agent left that was installed where this server is a copy of speaks for that one: this one joins anew. In a copy
# conversion has removed the unit; where nobody converted it, the machine's id is another.
forget_original() {
    [ -e "$settings/agent.conf" ] || return 0
    if [ -e "$unit" ] && grep -qxF "WHERRY_MACHINE=$(machine_id)" "$settings/agent.conf"; then
        return 0
    fi
    rm -rf "$state"
}

machine_id() {
    cat /sys/class/dmi/id/product_uuid 2>/dev/null || true
}

# Sets token; leaves it empty where none is needed.
read_token() {
    token=${WHERRY_TOKEN:-}
    unset WHERRY_TOKEN
    if [ -z "$token" ] && ! has_joined; then
        read -r token || true
        [ -n "$token" ] || refuse "a join token is needed, in WHERRY_TOKEN or on standard input"
    fi
}

# fetch URL FILE: over TLS only from the holder of a certificate of the CA, if the control plane has one.
fetch() {
    if command -v curl >/dev/null; then
        if [ "$ca" = - ]; then
            curl -fsS --noproxy '*' -o "$2" "$1"
        else
            curl -fsS --noproxy '*' --cacert "$settings/ca.pem" -o "$2" "$1"
        fi
    elif command -v wget >/dev/null; then
        if [ "$ca" = - ]; then
            wget -nv --no-proxy -O "$2" "$1"
        else
            wget -nv --no-proxy --ca-certificate="$settings/ca.pem" -O "$2" "$1"
        fi
    else
        refuse "neither curl nor wget is here"
    fi
}

install_agent() {
    mkdir -p "${program%/*}"
    new=$(mktemp "$program.XXXXXXXX")
    trap 'rm -f "$new"' EXIT
    fetch "$server/wherry/v1/agent" "$new" || refuse "the agent cannot be fetched from $server; is that a name of it?"
    found=$(sha256sum <"$new")
    [ "${found%% *}" = "$agent_digest" ] || refuse "what came from $server is not the agent; have a new command made"
    chmod 755 "$new"
    "$new" --version || refuse "the agent does not run here"
    mv -f "$new" "$program"
    trap - EXIT
}

write_settings() {
    mkdir -p "$settings" "$state"
    if [ "$ca" = - ]; then
        rm -f "$settings/ca.pem"
    else
        printf '%s\n' "$ca" >"$settings/ca.pem"
    fi
}

write_token() {
    [ -z "$token" ] || printf '%s\n' "$token" >"$settings/token"
}

# What is asked of the agent stands in a file, so that it's changed in one place. The machine's id of its firmware is
# noted: a copy of this server, on another machine, must not pass itself off as this one.
write_unit() {
    {
        echo "WHERRY_MACHINE=$(machine_id)"
        echo "WHERRY_OPTIONS=\"$options\""
    } >"$settings/agent.conf"
    cat >"$unit" <<'UNIT'
[Unit]
Description=Wherry agent: moves this server to a new home
Wants=network-online.target
After=network-online.target

[Service]
EnvironmentFile=/etc/wherry-agent/agent.conf
ExecStart=/bin/sh -c '[ "$$(cat /sys/class/dmi/id/product_uuid 2>/dev/null)" = "$$WHERRY_MACHINE" ] || { echo "This is a copy of the server that the agent was installed on; it stays off here."; exec systemctl disable wherry-agent; }; exec /usr/local/bin/wherry-agent $$WHERRY_OPTIONS'
Restart=on-failure
RestartSec=30
# Only the agent is told to end: the process that thaws what is frozen ends after it, and must not be killed before.
KillMode=process
TimeoutStopSec=100

[Install]
WantedBy=multi-user.target
UNIT
    chmod 644 "$unit"
}

# Waits until the agent has used its token, which is then of no more use to anybody.
await_joining() {
    waited=0
    until has_joined; do
        systemctl --quiet is-active wherry-agent || refuse "the agent ended; see: journalctl -u wherry-agent"
        [ "$waited" -lt "$join_limit_s" ] || refuse "the agent has not joined yet; see: journalctl -u wherry-agent"
        sleep 1
        waited=$((waited + 1))
    done
    rm -f "$settings/token"
    echo "The agent has joined $server and runs."
}

main() {
    [ $# -gt 0 ] || refuse "usage: sh SCRIPT URL [OPTIONS OF THE AGENT]"
    server=${1%/}
    shift
    options="--server $server --state $state"
    [ "$ca" = - ] || options="$options --ca-file $settings/ca.pem"
    options="$options --token-file $settings/token${*:+ $*}"
    case $options in
        *[\"\\\$\`]*) refuse "quotes, backslashes and dollars cannot stand in options; put them into $settings/agent.conf" ;;
    esac
    check_server
    forget_original
    read_token
    write_settings
    install_agent
    write_token
    if [ -d /run/systemd/system ]; then
        write_unit
        systemctl daemon-reload
        systemctl --quiet enable wherry-agent
        systemctl restart wherry-agent
        await_joining
    else
        echo "Installed. There is no systemd here: run this as root, and again after each boot:"
        echo "$program $options"
    fi
}

# Nothing happens before the last line is read: a script that was cut short does nothing.
main "$@"
