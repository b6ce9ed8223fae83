# SPDX-License-Identifier: Apache-2.0
"""HTML reference: PeakRDL-html, trimmed to what belongs in a repository.

Its output is 8 MB, carries the time of its making and loads a script from a
content server. Kept here: the same bytes for the same source, two icon fonts (text
falls back to the reader's own fonts), no request to another host, and the licences.
"""

import hashlib
import importlib.metadata
import re
import shutil
from pathlib import Path

import markdown
from peakrdl_html import HTMLExporter
from systemrdl.node import AddrmapNode

KEPT_FONTS = ("fa-solid-900.woff2", "fa-regular-400.woff2")
PACKAGE = "peakrdl-html"


def generate(nodes: list[AddrmapNode], directory: Path, header: list[str]) -> None:
    """Writes the reference into directory, replacing what is there."""
    shutil.rmtree(directory, ignore_errors=True)
    version = importlib.metadata.version(PACKAGE)
    exporter = HTMLExporter(
        markdown_inst=markdown.Markdown(extensions=["extra"]),
        generate_source_links=False,
        extra_doc_properties=["hw_owned", "pulse"],
    )
    exporter.export(nodes, str(directory), title="Espalier registers and records",
                    footer=f"Generated from the register source by PeakRDL-html {version}")
    _trim(directory)
    _make_repeatable(directory / "index.html", header)
    _copy_licences(directory)


def _trim(directory: Path) -> None:
    shutil.rmtree(directory / ".launcher_data")
    for launcher in directory.glob("launcher-*"):
        launcher.unlink()
    for font in sorted((directory / "fonts").rglob("*")):
        if font.is_file() and font.name not in KEPT_FONTS:
            font.unlink()
    for folder in (directory / "fonts").iterdir():
        if not any(folder.iterdir()):
            folder.rmdir()


def _make_repeatable(index: Path, header: list[str]) -> None:
    """Replaces the time of making, which browsers' caches go by, with a hash of the data."""
    data = (index.parent / "data" / "data_index.js").read_bytes()
    for name in sorted((index.parent / "content").iterdir()):
        data += name.read_bytes()
    stamp = str(int(hashlib.sha256(data).hexdigest()[:8], 16))
    text = index.read_text(encoding="utf-8")
    text, stamps = re.subn(r"(BUILD_TS = |\?ts=)\d+", rf"\g<1>{stamp}", text)
    text, scripts = re.subn(r"\s*<script async src=\"https://[^>]*></script>\s*<script type=\"text/x-mathjax-config\">.*?</script>",
                            "", text, flags=re.DOTALL)
    text, comments = re.subn(r"\A<!-- ", f"<!-- {header[0]} ", text)
    if (stamps, scripts, comments) != (3, 1, 1):
        raise RuntimeError(f"index.html of {PACKAGE} is not as expected: {stamps}, {scripts}, {comments} replacements")
    index.write_text(text, encoding="utf-8")


def _copy_licences(directory: Path) -> None:
    folder = directory / "licenses"
    folder.mkdir()
    copied = 0
    for file in importlib.metadata.files(PACKAGE) or []:
        if file.name.startswith("LICENSE"):
            shutil.copyfile(str(file.locate()), folder / f"PeakRDL-html-{file.name}")
            copied += 1
    if copied == 0:
        raise RuntimeError(f"{PACKAGE} brings no licence file")
