"""Browser names from the header ``User-Agent``."""

from __future__ import annotations

import re

# The first match wins: most browsers also claim to be others further down.
_BROWSERS = (
    ("Edge", r"Edg(?:e|A|iOS)?/(\d+)"),
    ("Opera", r"OPR/(\d+)"),
    ("Samsung Internet", r"SamsungBrowser/(\d+)"),
    ("Firefox", r"(?:Firefox|FxiOS)/(\d+)"),
    ("Chrome", r"(?:Chrome|CriOS|HeadlessChrome)/(\d+)"),
    ("Safari", r"Version/(\d+)[^ ]* .*Safari/"),
    ("curl", r"curl/(\d+)"),
)
_SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("macOS", "Macintosh"),
    ("ChromeOS", "CrOS"),
    ("Linux", "Linux"),
)


def browser_name(user_agent: str) -> str:
    """Return a name such as ``Firefox 140 on Linux`` for a ``User-Agent``."""
    browser = ""
    for name, pattern in _BROWSERS:
        match = re.search(pattern, user_agent)
        if match:
            browser = f"{name} {match[1]}"
            break
    system = next((name for name, word in _SYSTEMS if word in user_agent), "")
    if not browser:
        return f"A browser on {system}" if system else "An unknown browser"
    return f"{browser} on {system}" if system else browser
