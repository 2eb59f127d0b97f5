"""``make bench``: what a pull, a token and a decision cost, on this machine.

Everything runs on loopback and is started and ended by the command itself.
"""

from __future__ import annotations
