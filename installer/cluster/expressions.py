"""What a policy computes for one Pod, in the Common Expression Language (CEL).

Sources: Kubernetes, "Mutating Admission Policy" and "CEL in Kubernetes"; Kyverno,
"MutatingPolicy", which evaluates the same expressions. CEL has no loop that appends and
no variables inside an expression: each variable below maps all images one step further.
A list of rules is compared with a list of images once, since an API server limits what
an expression may cost.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Final

from oci.kustomize import DOCKER_HUB_HOSTS

_HUB_HOSTS: Final = ", ".join(f"'{host}'" for host in sorted(DOCKER_HUB_HOSTS))
_LISTS: Final = ("containers", "initContainers", "ephemeralContainers")


def _listed(name: str) -> str:
    return f"object.spec.?{name}.orValue([])"


# [path, image] of all that name one.
_IMAGES: Final = "\n+ ".join(
    f"{_listed(name)}.transformList(n, c, ['/spec/{name}/' + string(n) + '/{path}', "
    f"string({value}.orValue(''))])"
    for name, path, value in [
        *((name, "image", "c.?image") for name in _LISTS),
        ("volumes", "image/reference", "c.?image.?reference"),
    ]
)
# Only images that the request adds: a container whose image changes is restarted.
_BEFORE: Final = "request.operation != 'UPDATE' ? [] :\n" + "\n+ ".join(
    f"oldObject.spec.?{name}.orValue([]).map(c, string(c.?image.orValue('')))"
    for name in _LISTS
)
_ADDED: Final = "variables.images.filter(i, i[1] != '' && !(i[1] in variables.before))"
# [path, image, what is before its first slash]
_SPLIT: Final = """\
variables.added.map(i, [i[0], i[1],
  i[1].contains('/') ? i[1].substring(0, i[1].indexOf('/')) : ''])"""
# [path, name in full]: nginx is docker.io/library/nginx, and hosts are lower-case.
_FULL: Final = f"""\
variables.split.map(i, [i[0],
  i[2] == '' ? 'docker.io/library/' + i[1]
  : i[2].lowerAscii() in [{_HUB_HOSTS}]
    ? (i[1].substring(size(i[2]) + 1).contains('/') ? 'docker.io' : 'docker.io/library')
      + i[1].substring(size(i[2]))
  : i[2].contains('.') || i[2].contains(':') || i[2] == 'localhost'
    ? i[2].lowerAscii() + i[1].substring(size(i[2]))
  : 'docker.io/' + i[1]])"""
# What is Berth's already keeps its name.
_OTHERS: Final = """\
variables.full.filter(i, !variables.served.exists(p, i[1].startsWith(p)))
  .map(i, i + [i[1].split('@')[0] + ':'])"""
# [path, name in full, name with a colon, upstream of the first rule]
_RULED: Final = """\
variables.others.map(i, i + variables.rules
    .filter(r, i[2].startsWith(r[0]) && (size(r) < 3 || i[2].matches(r[2])))
    .map(r, r[1]))
  .filter(i, size(i) > 3 && i[3] != '-')"""
_RENAMED: Final = """\
variables.ruled.map(i, [i[0],
  variables.proxy + i[3] + i[1].substring(i[1].indexOf('/'))])"""
# Whether to add the pull secret: those of a Pod cannot change later.
_WANTS: Final = """\
request.operation == 'CREATE' && variables.secret != ''
  && (size(variables.renamed) > 0 || size(variables.full) > size(variables.others))
  && !object.spec.?imagePullSecrets.orValue([])
    .exists(s, s.?name.orValue('') == variables.secret)"""

VARIABLES: Final[Mapping[str, str]] = {
    "images": _IMAGES,
    "before": _BEFORE,
    "added": _ADDED,
    "split": _SPLIT,
    "full": _FULL,
    "others": _OTHERS,
    "ruled": _RULED,
    "renamed": _RENAMED,
    "wantsSecret": _WANTS,
}

PATCH: Final = """\
variables.renamed.map(i, JSONPatch{op: 'replace', path: i[0], value: i[1]})
+ (!variables.wantsSecret ? []
  : size(object.spec.?imagePullSecrets.orValue([])) > 0
  ? [JSONPatch{op: 'add', path: '/spec/imagePullSecrets/-',
      value: Object.spec.imagePullSecrets{name: variables.secret}}]
  : [JSONPatch{op: 'add', path: '/spec/imagePullSecrets',
      value: [Object.spec.imagePullSecrets{name: variables.secret}]}])"""


def literal(text: str) -> str:
    """Return a text as CEL writes it, and JSON too."""
    return json.dumps(text)


def list_of(texts: Iterable[str]) -> str:
    """Return a list of texts as CEL writes it, and JSON too."""
    return json.dumps(list(texts))


def lines_of(expressions: Iterable[str]) -> str:
    """Return a list of expressions, one a line, for people to read."""
    lines = ",\n".join(f"  {expression}" for expression in expressions)
    return f"[\n{lines}\n]"
