# SPDX-License-Identifier: Apache-2.0
"""PeakRDL exporters of the Espalier register source.

model.py reduces an elaborated SystemRDL tree to what the exporters need;
names.py spells identifiers; go*.py, sv_*.py and c_header.py and html.py each write one kind of file.
"""
