"""``make bench``: what a pull, a token and a decision cost, on this machine.

The command starts everything it needs on loopback, and stops it afterwards.
"""

from __future__ import annotations
