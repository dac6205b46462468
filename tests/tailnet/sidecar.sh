# What the sidecar's container is: its files at the places of the compose file, nothing else writable, its user, no
# capability, its profile. Arguments: the folder for the root, the programs, what this test adds, the auth key's folder,
# the state, and the folders for /config and /tmp, each `-` if it is not mounted.
set -e
root=$1
mount -t tmpfs -o mode=0755 tmpfs "$root"
for name in bin sbin lib lib64 usr etc; do
    if [ -L "/$name" ]; then
        cp -P "/$name" "$root/"
    elif [ -d "/$name" ]; then
        mkdir "$root/$name"
        mount --rbind "/$name" "$root/$name"
        mount -o remount,bind,ro "$root/$name"
    fi
done
mkdir -p "$root/dev" "$root/proc" "$root/tmp"
for name in null zero random urandom; do
    touch "$root/dev/$name"
    mount --bind "/dev/$name" "$root/dev/$name"
done
mount -t proc proc "$root/proc"
place() {
    [ "$1" != - ] || return 0
    mkdir -p "$root$2"
    mount --bind "$1" "$root$2"
    [ "$3" = writable ] || mount -o remount,bind,ro "$root$2"
}
place "$2" /programs read-only
place "$3" /test read-only
place "$4" /contractual/tailscale read-only
place "$5" /var/lib/tailscale writable
place "$6" /config read-only
place "$7" /tmp writable
mount -o remount,ro "$root"
exec chroot "$root" prlimit --core=0:0 setpriv --clear-groups --reuid 10010 --regid 10010 \
    --inh-caps=-all --ambient-caps=-all --bounding-set=-all --no-new-privs \
    /test/under /test/tailscale.json /programs/containerboot
