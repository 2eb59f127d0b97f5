"""Images by all spellings, and what a policy with these rules makes of them."""

from __future__ import annotations

from installer.cluster.rules import Rule
from installer.plan.images import Hosts

DIGEST = "sha256:" + "0" * 64
RULES = [
    Rule("quay.io/my-org/public:", "-"),
    Rule("quay.io/my-org/", "quay.io"),
    Rule("quay.io/one/api:", "quay.io"),
    Rule("docker.io/acme/", "docker.io"),
    Rule("docker.io/library/private:", "docker.io"),
    Rule("registry.corp:5000/", "corp"),
    Rule("ghcr.io/", "ghcr.io", r"^ghcr\.io/[^:]*/api:"),
]
SECRET = "my-app-registry"
HOSTS = Hosts(
    "my-app", ("proxy.example.com", "old.example.com"), ("registry.example.com",)
)
PREFIX = "proxy.example.com/proxy/my-app/"
RENAMED = {
    "quay.io/my-org/api": "quay.io/my-org/api",
    "quay.io/my-org/api:v1": "quay.io/my-org/api:v1",
    f"quay.io/my-org/api@{DIGEST}": f"quay.io/my-org/api@{DIGEST}",
    f"quay.io/my-org/api:v1@{DIGEST}": f"quay.io/my-org/api:v1@{DIGEST}",
    "quay.io/my-org/deep/er:v1": "quay.io/my-org/deep/er:v1",
    "Quay.IO/my-org/api:v1": "quay.io/my-org/api:v1",
    "quay.io/my-org/public-api": "quay.io/my-org/public-api",
    "quay.io/one/api": "quay.io/one/api",
    "quay.io/one/api:v1": "quay.io/one/api:v1",
    f"quay.io/one/api@{DIGEST}": f"quay.io/one/api@{DIGEST}",
    "acme/web": "docker.io/acme/web",
    "docker.io/acme/web:1": "docker.io/acme/web:1",
    "index.docker.io/acme/web": "docker.io/acme/web",
    "registry-1.docker.io/acme/web": "docker.io/acme/web",
    "private": "docker.io/library/private",
    "private:1": "docker.io/library/private:1",
    f"private@{DIGEST}": f"docker.io/library/private@{DIGEST}",
    "library/private:1": "docker.io/library/private:1",
    "docker.io/private:1": "docker.io/library/private:1",
    "docker.io/library/private:1": "docker.io/library/private:1",
    "index.docker.io/private": "docker.io/library/private",
    "registry.corp:5000/team/api:v1": "corp/team/api:v1",
    "registry.corp:5000/api": "corp/api",
    "ghcr.io/any/api:v1": "ghcr.io/any/api:v1",
}
KEPT = [
    "",
    "nginx",
    "nginx:1",
    f"busybox@{DIGEST}",
    "library/nginx",
    "quay.io/my-org/public",
    "quay.io/my-org/public:v1",
    f"quay.io/my-org/public@{DIGEST}",
    "quay.io/my-org-2/api",
    "quay.io/one/api-2",
    "quay.io/one/api/sub",
    "quay.io/two/api",
    "quay.io:443/my-org/api",
    "my-org/api",
    "localhost/my-org/api",
    "registry.corp/team/api",
    "registry.corp:5001/team/api",
    "ghcr.io/any/web:v1",
    "ghcr.io/any/web:api",
    "privately",
    "{{ .Values.image }}",
]
SERVED = [
    "proxy.example.com/proxy/my-app/quay.io/my-org/api:v1",
    "old.example.com/proxy/my-app/quay.io/my-org/api:v1",
    "registry.example.com/my-app/api",
]
