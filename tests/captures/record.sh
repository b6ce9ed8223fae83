#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Records tests/captures/*.pcap: real programs talking between two network
# namespaces, over IPv4 and IPv6. Needs root (namespaces, tcpdump) and nothing
# else; touches nothing outside the namespaces that it makes and a temporary
# folder. The captures are committed; run this only to make new ones:
#
#   sudo tests/captures/record.sh [FOLDER]
#
# Debian packages: iproute2 tcpdump nginx-light openssl curl dnsmasq
# bind9-dnsutils openssh-server openssh-client iputils-ping iperf3
set -euo pipefail

out=$(realpath "${1:-$(dirname "$0")}")
[ "$(id -u)" = 0 ] || { echo "record.sh: needs root, to make network namespaces; run it with sudo" >&2; exit 2; }
for tool in ip tcpdump nginx openssl curl dnsmasq dig /usr/sbin/sshd ssh ping iperf3; do
  command -v "$tool" >/dev/null || { echo "record.sh: '$tool' is missing; install the Debian packages named in this file" >&2; exit 2; }
done

client=esp-rec-c$$ server=esp-rec-s$$
tmp=$(mktemp -d)
pids=()
cleanup() {
  for pid in "${pids[@]}"; do kill "$pid" 2>/dev/null || true; done
  wait 2>/dev/null || true
  ip netns del "$client" 2>/dev/null || true
  ip netns del "$server" 2>/dev/null || true
  rm -rf "$tmp"
}
trap cleanup EXIT

# Two namespaces, one wire. Segmentation and receive offloads are off, so that
# what is recorded is what an Ethernet wire would carry.
ip netns add "$client"
ip netns add "$server"
ip link add veth-c netns "$client" type veth peer name veth-s netns "$server"
c() { ip netns exec "$client" "$@"; }
s() { ip netns exec "$server" "$@"; }
# start PREFIX COMMAND...: in the background, its own process id (not a subshell's) in pids.
start() { local ns=$1; shift; (exec ip netns exec "$ns" "$@") & pids+=($!); }
c ip addr add 192.0.2.1/24 dev veth-c
s ip addr add 192.0.2.2/24 dev veth-s
c ip addr add 2001:db8::1/64 dev veth-c nodad
s ip addr add 2001:db8::2/64 dev veth-s nodad
for side in c s; do
  $side ip link set lo up
  $side ip link set "veth-$side" up
  if command -v ethtool >/dev/null; then $side ethtool -K "veth-$side" tso off gso off gro off tx off >/dev/null 2>&1 || true; fi
done
# gso_max_size bounds what the stack hands down even where ethtool is absent.
c ip link set veth-c gso_max_size 1500 gso_max_segs 1
s ip link set veth-s gso_max_size 1500 gso_max_segs 1

# Servers.
mkdir -p "$tmp/www" "$tmp/sshd"
openssl rand -out "$tmp/www/random.bin" 160000
yes 'espalier: a tree trained along a frame' | head -c 120000 >"$tmp/www/text.txt" || true
openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=server.test -keyout "$tmp/key.pem" -out "$tmp/cert.pem" 2>/dev/null
cat >"$tmp/nginx.conf" <<CONF
user root; pid $tmp/nginx.pid; error_log $tmp/nginx.err;
events { worker_connections 64; }
http { access_log off; client_body_temp_path $tmp/b; proxy_temp_path $tmp/p; fastcgi_temp_path $tmp/f; uwsgi_temp_path $tmp/u; scgi_temp_path $tmp/sc;
  server { listen 80; listen [::]:80; listen 443 ssl; listen [::]:443 ssl; root $tmp/www;
    ssl_certificate $tmp/cert.pem; ssl_certificate_key $tmp/key.pem; } }
CONF
start "$server" nginx -c "$tmp/nginx.conf" -g 'daemon off;'
start "$server" dnsmasq -k --no-resolv --no-hosts --bind-interfaces --listen-address=192.0.2.2,2001:db8::2 --user=root \
  --address=/server.test/192.0.2.2 --address=/server.test/2001:db8::2 --txt-record=long.test,"$(printf 'a%.0s' {1..250})" --pid-file="$tmp/dns.pid"
ssh-keygen -q -t ed25519 -N '' -f "$tmp/sshd/host"; ssh-keygen -q -t ed25519 -N '' -f "$tmp/sshd/user"
mkdir -p /run/sshd
cat >"$tmp/sshd/config" <<CONF
Port 22
HostKey $tmp/sshd/host
PidFile none
AuthorizedKeysFile $tmp/sshd/user.pub
StrictModes no
UsePAM no
PermitRootLogin yes
CONF
start "$server" /usr/sbin/sshd -D -f "$tmp/sshd/config" 2>/dev/null
start "$server" iperf3 -s >/dev/null 2>&1
sleep 1

# record NAME COMMAND...: what crosses the wire while the command runs.
record() {
  local name=$1; shift
  start "$client" tcpdump -q -i veth-c -s 0 -B 8192 -U -w "$tmp/$name.pcap" 2>"$tmp/tcpdump.log"
  local dump=${pids[-1]}
  sleep 0.7
  "$@"
  sleep 0.7
  kill -TERM "$dump"; wait "$dump" 2>/dev/null || true
  grep -q '^0 packets dropped by kernel' "$tmp/tcpdump.log" || { cat "$tmp/tcpdump.log" >&2; echo "record.sh: tcpdump lost packets of $name; try again" >&2; exit 1; }
  mv "$tmp/$name.pcap" "$out/$name.pcap"
  printf '%-8s %8d bytes\n' "$name" "$(stat -c %s "$out/$name.pcap")"
}

http() { for h in 192.0.2.2 '[2001:db8::2]'; do for f in text.txt random.bin; do c curl -fsS -o /dev/null "http://$h/$f"; done; done; }
tls() { for h in 192.0.2.2 '[2001:db8::2]'; do for f in text.txt random.bin; do c curl -fsSk -o /dev/null "https://$h/$f"; done; done; }
dns() { for h in 192.0.2.2 2001:db8::2; do for q in 'server.test A' 'server.test AAAA' 'long.test TXT' 'nowhere.test MX'; do
  for i in 1 2 3; do c dig +tries=1 @"$h" $q >/dev/null; done; c dig +tcp +tries=1 @"$h" $q >/dev/null; done; done; }
ssh_session() { for h in 192.0.2.2 2001:db8::2; do
  c ssh -q -i "$tmp/sshd/user" -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null "root@$h" 'ls -l /usr/bin | head -300; uname -a; sleep 0.2; head -c 40000 /usr/bin/env | od -x | tail -200' >/dev/null; done; }
# Every size up to 128 bytes once, then larger ones, past the MTU too: those travel as fragments.
pings() { for h in 192.0.2.2 2001:db8::2; do
  for size in $(seq 0 128) $(seq 160 41 1472) 1451 1452 1471 1472 1473 2000 4000; do c ping -q -n -c 1 -W 2 -s "$size" "$h" >/dev/null; done; done; }
iperf() { for h in 192.0.2.2 2001:db8::2; do
  c iperf3 -c "$h" -n 400K >/dev/null
  c iperf3 -c "$h" -R -n 300K >/dev/null
  c iperf3 -c "$h" -u -b 20M -l 1200 -n 150K >/dev/null
  c iperf3 -c "$h" -u -b 20M -l 64 -n 8K >/dev/null; done; }

record http http
record tls tls
record dns dns
record ssh ssh_session
record ping pings
record iperf iperf
