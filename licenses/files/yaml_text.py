"""YAML that all parsers read alike.

Parsers differ in which unquoted words they read as text: ``y`` is a boolean in YAML
1.1, ``1e3`` a number in Go and text in Python, ``0o7`` a number in YAML 1.2 only.
Therefore text is quoted unless all parsers agree on it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any

import yaml

_PLAIN = re.compile(r"[A-Za-z][A-Za-z0-9_./-]*")
_WORDS = frozenset(
    {
        *("y", "n", "yes", "no", "on", "off", "true", "false"),
        *("null", "nan", "inf", "infinity"),
    }
)


class _Dumper(yaml.SafeDumper):
    def ignore_aliases(self, _data: Any) -> bool:
        return True


def _text(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    is_plain = _PLAIN.fullmatch(text) and text.lower() not in _WORDS
    style = None if is_plain else '"'
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def to_yaml(document: Mapping[str, Any]) -> str:
    """Return a document as YAML, in its order, each text on one line."""
    text: str = yaml.dump(
        dict(document),
        Dumper=_Dumper,
        sort_keys=False,
        allow_unicode=True,
        width=math.inf,
    )
    return text
