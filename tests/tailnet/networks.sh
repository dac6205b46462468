# The machines of a test, in the namespaces that it runs in: `edge`, which leads from the sidecar to the gateway, is here;
# `uplink` is in `world`, where the control server is. Neither leads out of the test.
set -e
mount -t tmpfs tmpfs /run
if [ -e /etc/resolv.conf ]; then
    echo 'nameserver 127.0.0.1' >/run/resolv.conf
    mount --bind /run/resolv.conf /etc/resolv.conf
fi
ip link set lo up
ip link add edge type bridge
ip address add 10.89.1.2/29 dev edge
ip link set edge up
ip netns add world
ip -n world link set lo up
ip -n world link add uplink type bridge
ip -n world address add 198.51.100.1/24 dev uplink
ip -n world link set uplink up

machine() {
    ip netns add "$1"
    ip -n "$1" link set lo up
}
on_uplink() {
    ip link add uplink netns "$1" type veth peer name "$1" netns world
    ip -n world link set "$1" master uplink up
    ip -n "$1" address add "$2/24" dev uplink
    ip -n "$1" link set uplink up
    ip -n "$1" route add default via 198.51.100.1
}
on_edge() {
    ip link add edge netns "$1" type veth peer name "$1"
    ip link set "$1" master edge up
    ip -n "$1" address add "$2/29" dev edge
    ip -n "$1" link set edge up
}

machine contractual
on_edge contractual 10.89.1.3
on_uplink contractual 198.51.100.2
# The signer is here as well, at the other end of the sidecar's `sign`.
ip link add sign type veth peer name sign netns contractual
ip address add 10.89.1.90/29 dev sign
ip link set sign up
ip -n contractual address add 10.89.1.91/29 dev sign
ip -n contractual link set sign up
machine other
on_edge other 10.89.1.4
machine laptop
on_uplink laptop 198.51.100.10
machine tablet
on_uplink tablet 198.51.100.11
machine intruder
on_uplink intruder 198.51.100.12
