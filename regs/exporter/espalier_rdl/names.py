# SPDX-License-Identifier: Apache-2.0
"""Identifiers: how an RDL name is spelled in each output language."""

import re

# Words that Go spells otherwise than with a capital first letter.
_GO_WORDS = {
    "aes128": "AES128",
    "aes192": "AES192",
    "aes256": "AES256",
    "ah": "AH",
    "cpl": "Cpl",
    "dma": "DMA",
    "esn": "ESN",
    "esp": "ESP",
    "icv": "ICV",
    "id": "ID",
    "ipsec": "IPsec",
    "ipv4": "IPv4",
    "ipv6": "IPv6",
    "keylen": "KeyLen",
    "lsb": "LSB",
    "lso": "LSO",
    "mhz": "MHz",
    "nop": "NOP",
    "ok": "OK",
    "sa": "SA",
    "spi": "SPI",
    "udp": "UDP",
}


def words(name: str) -> list[str]:
    """Splits an RDL name at underscores and dots, in lower case."""
    return [w for w in re.split(r"[_.]", name.lower()) if w]


def go(name: str) -> str:
    """The exported Go identifier of an RDL name: sa_esn_hi -> SAESNHi."""
    return "".join(_GO_WORDS.get(w, w[0].upper() + w[1:]) for w in words(name))


def upper(name: str) -> str:
    """The constant name used in SystemVerilog and C: sa.esn_hi -> SA_ESN_HI."""
    return "_".join(words(name)).upper()


def snake(name: str) -> str:
    """The signal name used in SystemVerilog: sa.esn_hi -> sa_esn_hi."""
    return "_".join(words(name))


def sentence(text: str) -> str:
    """The text with exactly one full stop at its end."""
    return text if text.endswith((".", ":")) else text + "."
