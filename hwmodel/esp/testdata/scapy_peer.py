# SPDX-License-Identifier: Apache-2.0
"""Scapy as the other end of an SA, for peers_test.go.

Reads one JSON object a line: the SA, "do" (encrypt or decrypt) and "packet" (an
IP packet, hexadecimal). Writes one object a line: "packet", or "error".
"""
import json
import logging
import sys

logging.getLogger("scapy").setLevel(logging.ERROR)

from scapy.layers.inet import IP  # noqa: E402
from scapy.layers.inet6 import IPv6  # noqa: E402
from scapy.layers.ipsec import ESP, SecurityAssociation  # noqa: E402


def run(case):
    ip = IPv6 if case["ipv6"] else IP
    sa = SecurityAssociation(
        ESP,
        spi=case["spi"],
        crypt_algo="AES-GCM",
        crypt_key=bytes.fromhex(case["key"]),
        tunnel_header=ip(src=case["src"], dst=case["dst"]) if case["tunnel"] else None,
        esn_en=case["esn"],
        esn=case["esn_hi"],
    )
    data = bytes.fromhex(case["packet"])
    packet = (IPv6 if data[0] >> 4 == 6 else IP)(data)
    if case["do"] == "encrypt":
        low = case["sequence"]
        return bytes(sa.encrypt(packet, seq_num=low, iv=case["esn_hi"].to_bytes(4, "big") + low.to_bytes(4, "big"),
                                esn_en=case["esn"], esn=case["esn_hi"]))
    return bytes(sa.decrypt(packet, esn_en=case["esn"], esn=case["esn_hi"]))


for line in sys.stdin:
    try:
        print(json.dumps({"packet": run(json.loads(line)).hex()}), flush=True)
    except Exception as e:  # the test compares what went wrong
        print(json.dumps({"error": f"{type(e).__name__}: {e}"}), flush=True)
