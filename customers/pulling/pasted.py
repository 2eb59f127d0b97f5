"""Secrets that people paste where the name of an image is wanted."""

from __future__ import annotations

import re

from licenses.license_id import is_license_id

_KINDS = (
    ("a pull credential", re.compile(r"berth_pull_")),
    ("an API token", re.compile(r"berth_(?:user|sa|team)_")),
    (
        "a command with a password",
        re.compile(
            r"(?:^|\s)login\s(?:.*\s)?-p\s*\S|--(?:docker-)?password[\s=]"
            r"|\s(?:-u|--user|--(?:src-|dest-)?creds)[\s=]*[^\s:]+:",
            re.DOTALL,
        ),
    ),
    ("an address with a password", re.compile(r"://[^\s/@]+:[^\s/@]*@")),
    ("a pull secret", re.compile(r"(?:\"auths?\"|\.dockerconfigjson\"?)\s*:")),
)
_WORD = re.compile(r"(?<![0-9A-Za-z])[0-9A-Za-z]{27}(?![0-9A-Za-z])")


def pasted_secret(text: str) -> str:
    """Return what secret a text contains, in words, or "".

    A license ID has the form of a part of an image's name that is as long. Within a
    name, only what has capital letters is taken for one: repositories have none.
    """
    stripped = text.strip()
    for kind, form in _KINDS:
        if form.search(stripped):
            return kind
    words = _WORD.findall(stripped)
    if is_license_id(stripped) or any(word != word.lower() for word in words):
        return "a license ID"
    return ""


def refusal_of(pasted: str) -> str:
    """Return the sentence that refuses what :func:`pasted_secret` found."""
    return (
        f"This contains {pasted}, which is a secret. Enter nothing but the name of an "
        "image."
    )
