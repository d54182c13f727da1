# What packaging/test and its half inside a virtual machine share. Sourced; $root is where files lie.

failed=0

# check WHAT COMMAND...: WHAT is what the command finds out.
check() {
    local what=$1 output
    shift
    if output=$("$@" 2>&1); then
        echo "  ok      $what"
    else
        printf '  FAILED  %s: %s\n%s\n' "$what" "$*" "$output"
        failed=1
    fi
}

not() { ! "$@"; }

# eventually COMMAND...: until it holds, at most 30 s.
eventually() {
    local tries=0
    until "$@" >/dev/null 2>&1; do
        tries=$((tries + 1))
        [ $tries -lt 150 ] || return 1
        sleep 0.2
    done
}

# configure ADDRESS [BLOCKS [LINES]]: ADDRESS is the virtual one; BLOCKS stand in front of the instance, LINES in it.
configure() {
    mkdir -p "$root/etc/keepalived"
    cat >"$root/etc/keepalived/keepalived.conf" <<END
# Ours, and nobody else's.
${2:-}
vrrp_instance V {
    state BACKUP
    interface eth0
    virtual_router_id 51
    priority 100
    advert_int 1
    ${3:-}
    virtual_ipaddress {
        $1/24
    }
}
END
}

make_network() {
    ip link set lo up
    ip link add eth0 type veth peer name other
    ip address add 10.9.0.1/24 dev eth0
    ip link set eth0 up
    ip link set other up
}

holds() { ip -o address show dev eth0 | grep -q "$1/"; }
