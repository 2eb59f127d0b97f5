"""A proof that rights end within a second, whatever fails during that time.

As in Jepsen, a generator decides what to do, clients and a writer do it, a nemesis
kills and freezes processes, and a checker judges the history of all this afterwards.
"""

from __future__ import annotations
