"""What the demo prints once it runs."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from deploy.local.demo_settings import DemoSettings

TEXT = """
Berth is running. Ctrl-C stops it; the data stay in {directory}.

Open   {portal}/api/v1/docs   the REST API, with API_TOKEN from {facts}
       {portal}/admin/        {owner_email}   {owner_password}

Type, in another terminal:

  . {facts}
  IMAGE=$PROXY_HOST/proxy/$APP_SLUG/sample/$SAMPLE_IMAGE

Pull the private image with nothing but the license, with any of these clients (each
is the Debian package of its name; ctr is in containerd, docker in docker.io):

  skopeo copy --src-tls-verify=false --src-creds "license:$LICENSE_ID" \\
    docker://$IMAGE dir:/tmp/berth-image

  echo "$LICENSE_ID" | docker login $PROXY_HOST -u license --password-stdin
  docker pull $IMAGE

  podman pull --tls-verify=false --creds "license:$LICENSE_ID" $IMAGE

  sudo ctr image pull --plain-http --user "license:$LICENSE_ID" $IMAGE

Revoke the license, and any of them prints "This license was revoked on …":

  LICENSE=$(curl -sS -H "Authorization: Bearer $API_TOKEN" \\
    "$PORTAL_URL/api/v1/licenses?application=$APP_SLUG" | python3 -c \\
    'import json, sys; print(json.load(sys.stdin)["results"][-1]["id"])')
  curl -sS -X POST -H "Authorization: Bearer $API_TOKEN" \\
    -H "Content-Type: application/json" -d '{{"reason": "trying it out"}}' \\
    $PORTAL_URL/api/v1/licenses/$LICENSE/revoke

Give it back, and a second later pulls work again:

  curl -sS -X POST -H "Authorization: Bearer $API_TOKEN" \\
    $PORTAL_URL/api/v1/licenses/$LICENSE/reinstate

Push an image to the private registry, as the vendor:

  skopeo copy --dest-tls-verify=false --dest-creds "$OWNER_EMAIL:$API_TOKEN" \\
    dir:/tmp/berth-image docker://$REGISTRY_HOST/$APP_SLUG/api:v1

Logs: {logs}
Mails: {mail}
"""


def introduction(settings: DemoSettings, facts: Mapping[str, str]) -> str:
    """Tell what to open and what to type, from the facts in the demo's file."""
    return TEXT.format(
        directory=settings.directory,
        portal=facts["PORTAL_URL"],
        owner_email=facts["OWNER_EMAIL"],
        owner_password=facts["OWNER_PASSWORD"],
        facts=shlex.quote(str(settings.facts)),
        logs=settings.logs,
        mail=settings.mail,
    )
