"""The instructions that the demo prints once it runs."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from deploy.local.demo_settings import DemoSettings
from deploy.local.stack import SAMPLE_USER

TEXT = """
Berth is running. Ctrl-C stops it and keeps its data in {directory}.

Open   {portal}/   and sign in:

         {owner_email}
         {owner_password}

       Licenses has a license. On its page, press Send to customer, and enter an
       address. The mail is a file in {mail}
       Open its link in a private window: that is what the customer sees. Credentials
       makes a pull credential, and Install has the lines that pull with it.

       To connect the sample registry yourself, choose Other registry, {sample_host},
       username {sample_user}, and the password in
       {sample_password}

       {portal}/help/   says how to do each task.
       {portal}/api/v1/docs   describes the REST API.
       {portal}/admin/   is for the operator.

In another terminal, type:

  . {facts}
  IMAGE=$PROXY_HOST/proxy/$APP_SLUG/sample/$SAMPLE_IMAGE

Pull the private image with the license ID, or with a pull credential in its place, by
any of these clients (Debian packages skopeo, docker.io, podman, containerd):

  skopeo copy --src-tls-verify=false --src-creds "license:$LICENSE_ID" \\
    docker://$IMAGE dir:/tmp/berth-image

  echo "$LICENSE_ID" | docker login $PROXY_HOST -u license --password-stdin
  docker pull $IMAGE

  podman pull --tls-verify=false --creds "license:$LICENSE_ID" $IMAGE

  sudo ctr image pull --plain-http --user "license:$LICENSE_ID" $IMAGE

Revoke the license in the browser, and each of them prints "This license was revoked on
…". Reinstate it, and pulls work again within a second.

Push an image to the private registry as the vendor:

  skopeo copy --dest-tls-verify=false --dest-creds "$OWNER_EMAIL:$API_TOKEN" \\
    dir:/tmp/berth-image docker://$REGISTRY_HOST/$APP_SLUG/api:v1

A push without permission is "denied" in the registry's own words. Behind nginx, as in
deploy/nginx, each refusal gives the reason.

Pull it with the license:

  skopeo copy --src-tls-verify=false --src-creds "license:$LICENSE_ID" \\
    docker://$REGISTRY_HOST/$APP_SLUG/api:v1 dir:/tmp/berth-own-image

Logs: {logs}
"""


def introduction(settings: DemoSettings, facts: Mapping[str, str]) -> str:
    """Return what to open and what to type, by the facts in the demo's file."""
    return TEXT.format(
        directory=settings.directory,
        portal=facts["PORTAL_URL"],
        owner_email=facts["OWNER_EMAIL"],
        owner_password=facts["OWNER_PASSWORD"],
        facts=shlex.quote(str(settings.facts)),
        sample_host=settings.sample_host,
        sample_user=SAMPLE_USER,
        sample_password=settings.sample_password,
        logs=settings.logs,
        mail=settings.mail,
    )
