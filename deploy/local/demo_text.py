"""What the demo prints once it runs."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from deploy.local.demo_settings import DemoSettings
from deploy.local.stack import SAMPLE_USER

TEXT = """
Berth is running. Ctrl-C stops it; the data stay in {directory}.

Open   {portal}/   and sign in:

         {owner_email}
         {owner_password}

       To connect the sample registry yourself: Other registry, {sample_host},
       username {sample_user}, and the password in
       {sample_password}

       Images has the names to pull, Licenses the license that pulls them. Its page can
       revoke it and give it back, and says what to type. The REST API is described at
       {portal}/api/v1/docs; {portal}/admin/ is for the operator.

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

Revoke the license in the browser, and any of them prints "This license was revoked on
…". Reinstate it there, and a second later pulls work again.

Push an image to the private registry, as the vendor:

  skopeo copy --dest-tls-verify=false --dest-creds "$OWNER_EMAIL:$API_TOKEN" \\
    dir:/tmp/berth-image docker://$REGISTRY_HOST/$APP_SLUG/api:v1

A push to a slug that is not yours, or by who may not, is "denied" in the registry's own
words. With nginx in front, as in deploy/nginx, each refusal says why.

Pull it from there, with the license again:

  skopeo copy --src-tls-verify=false --src-creds "license:$LICENSE_ID" \\
    docker://$REGISTRY_HOST/$APP_SLUG/api:v1 dir:/tmp/berth-own-image

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
        sample_host=settings.sample_host,
        sample_user=SAMPLE_USER,
        sample_password=settings.secrets / "sample-password",
        logs=settings.logs,
        mail=settings.mail,
    )
