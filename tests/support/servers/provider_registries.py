"""What each provider's registry is documented, or was seen, to answer.

The sources stand beside the answers. Where one shows only a body, its status is the
one that the distribution API gives to such an error.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from tests.support.pages.registry_forms import JSON_KEY
from tests.support.servers.canned_server import Answer
from tests.support.servers.provider_server import Registry, bearer, errors

SECRET = "upstream-secret-51d0"
# A token with too little in it: distribution, registry/auth/token/accesscontroller.go.
NO_SCOPE = errors(401, "UNAUTHORIZED", "authentication required")


@dataclass(frozen=True)
class ProviderCase:
    """A provider's registry, what a vendor enters for it, and what Berth says.

    ``rejected`` and ``denied`` are words of the sentences for a wrong login and for a
    repository without access that no other provider's have.
    """

    name: str
    provider: str
    auth_type: str
    registry: Registry
    rejected: str
    denied: str
    wrong_secret: str = "wrong-secret-41aa"
    image: str = ""
    trusted_realm: str = ""
    entered: str = ""

    @property
    def endpoint(self) -> str:
        return self.entered or self.registry.host

    @property
    def username(self) -> str:
        """What the vendor enters: nothing where it is always the same."""
        name = self.registry.login[0]
        return "" if name == "_json_key" else name


# The challenge: forums.docker.com/t/registry-v2-catalog/45368. A wrong login:
# docker/hub-feedback#732. No access: the token service gives a token, and the registry
# answers with 401, "authentication required" (Stack Overflow, "Download manifest of
# private repository from Docker Registry API").
DOCKERHUB = ProviderCase(
    name="Docker Hub",
    provider="dockerhub",
    auth_type="token",
    entered="index.docker.io",
    registry=Registry(
        host="registry-1.docker.io",
        login=("acme", SECRET),
        challenge=bearer("https://auth.docker.io/token", "registry.docker.io"),
        wrong_login=Answer(401, {}, b'{"details":"incorrect username or password"}'),
        no_access=NO_SCOPE,
    ),
    rejected="Generate a read-only access token",
    denied="add the account to a team",
)
# The same with an official image, which the registry has under library/.
DOCKERHUB_OFFICIAL = replace(
    DOCKERHUB,
    name="Docker Hub, official image",
    registry=replace(DOCKERHUB.registry, repository="library/nginx"),
    image="nginx",
)
# quay/quay, endpoints/v2/v2auth.py and endpoints/v2/__init__.py: a login that is not
# valid is InvalidLogin, a 401; a scope is cut down to nothing; then the registry says
# "access to the requested resource is not authorized", 401.
QUAY = ProviderCase(
    name="Quay.io",
    provider="quay",
    auth_type="robot",
    registry=Registry(
        host="quay.io",
        login=("acme+puller", SECRET),
        challenge=bearer("https://quay.io/v2/auth", "quay.io"),
        wrong_login=errors(401, "UNAUTHORIZED", "Invalid Username or Password"),
        no_access=errors(
            401, "UNAUTHORIZED", "access to the requested resource is not authorized"
        ),
    ),
    rejected="the robot was deleted or its token was regenerated",
    denied="give the robot Read permission",
)
# The token service: Mic92/niks3#229. A token that is not good is a 403 of it:
# openai/tart#277. A package that is not for the account: RightNow-AI/openfang#12.
GHCR = ProviderCase(
    name="GitHub",
    provider="ghcr",
    auth_type="token",
    registry=Registry(
        host="ghcr.io",
        login=("octocat", f"ghp_{SECRET}"),
        challenge=bearer("https://ghcr.io/token", "ghcr.io"),
        wrong_login=errors(403, "DENIED", "denied"),
        no_access=errors(403, "DENIED", "permission_denied: read_package"),
    ),
    rejected="lacks read:packages",
    denied="give the account Read in the package's settings",
    wrong_secret="ghp_expired",
)
_GOOGLE_DENIES = errors(
    403,
    "DENIED",
    'Permission "artifactregistry.repositories.downloadArtifacts" denied on resource '
    '"projects/acme/locations/us/repositories/other" (or it may not exist)',
)
# The challenge: docker/setup-buildx-action#79. The token service refuses a scope:
# argoproj/argo-cd#26260 and google-github-actions/auth#50. A key that is not good:
# GoogleCloudPlatform/cloud-sdk-docker#328, "unauthorized: failed authentication".
GAR = ProviderCase(
    name="Google Artifact Registry",
    provider="gar",
    auth_type="json_key",
    registry=Registry(
        host="us-docker.pkg.dev",
        login=("_json_key", JSON_KEY),
        repository="acme/images/api",
        challenge=bearer("https://us-docker.pkg.dev/v2/token", "us-docker.pkg.dev"),
        wrong_login=errors(401, "UNAUTHORIZED", "failed authentication"),
        no_access=NO_SCOPE,
        no_token=_GOOGLE_DENIES,
    ),
    rejected="the key was deleted or has expired",
    denied="the role Artifact Registry Reader on this repository",
    wrong_secret=JSON_KEY.replace("0123456789abcdef", "deleted"),
)
# The challenge: seqeralabs/wave#235. Artifact Registry serves it, and refuses alike.
GCR = replace(
    GAR,
    name="gcr.io",
    provider="gcr",
    registry=replace(
        GAR.registry,
        host="eu.gcr.io",
        repository="acme/api",
        challenge=bearer("https://eu.gcr.io/v2/token", "eu.gcr.io"),
    ),
)
# Azure/acr, docs/AAD-OAuth.md: the challenge, and "access_token" with no "token". No
# AcrPull: learn.microsoft.com/troubleshoot/azure/azure-container-registry/
# authentication-required.
ACR = ProviderCase(
    name="Azure",
    provider="acr",
    auth_type="service_principal",
    registry=Registry(
        host="contosoregistry.azurecr.io",
        login=("7f3c0e5a-1c2d-4b6f-9a8e-0d1c2b3a4f5e", SECRET),
        repository="contoso/api",
        challenge=bearer(
            "https://contosoregistry.azurecr.io/oauth2/token",
            "contosoregistry.azurecr.io",
        ),
        wrong_login=errors(401, "UNAUTHORIZED", "authentication required"),
        no_access=errors(
            401,
            "UNAUTHORIZED",
            "authentication required, visit https://aka.ms/acr/authorization",
        ),
        token_field="access_token",
    ),
    rejected="the client secret or the token password has expired",
    denied="the role AcrPull",
)
_GITLAB_DENIES = errors(403, "DENIED", "access forbidden")
# The challenge: deitch/docker_registry2#14. gitlabhq/gitlabhq,
# app/controllers/jwt_controller.rb: a login that is not good is a 401; "access
# forbidden" comes of the token service, for a scope: getwud/wud#600.
GITLAB = ProviderCase(
    name="GitLab",
    provider="gitlab",
    auth_type="deploy_token",
    registry=Registry(
        host="registry.gitlab.com",
        login=("gitlab+deploy-token-123456", SECRET),
        repository="acme/product/api",
        challenge=bearer("https://gitlab.com/jwt/auth", "container_registry"),
        wrong_login=errors(401, "UNAUTHORIZED", "HTTP Basic: Access denied"),
        no_access=NO_SCOPE,
        no_token=_GITLAB_DENIES,
    ),
    rejected="lacks read_registry",
    denied="use a token of the project or group",
)
# A GitLab of the vendor's own whose registry has a domain of its own.
OWN_GITLAB = replace(
    GITLAB,
    name="GitLab of one's own",
    auth_type="token",
    registry=replace(
        GITLAB.registry,
        host="images.acme-registry.example.com:5050",
        login=("robot", SECRET),
        repository="acme/api",
        challenge=bearer(
            "https://gitlab.acme.example.net/jwt/auth", "container_registry"
        ),
    ),
    trusted_realm="gitlab.acme.example.net",
)
# The challenge: containerd/containerd#6339 and earthly/earthly#1017. A login that is
# not good: concourse/registry-image-resource#47. No Read: kubernetes/kubernetes#65958.
ARTIFACTORY = ProviderCase(
    name="Artifactory",
    provider="artifactory",
    auth_type="token",
    registry=Registry(
        host="acme.jfrog.io",
        login=("puller", SECRET),
        repository="docker-local/api",
        challenge=bearer(
            "https://acme.jfrog.io:443/artifactory/api/docker/null/v2/token",
            "acme.jfrog.io:443",
        ),
        wrong_login=Answer(401, {}, b'{"statusCode":401,"details":"BAD_CREDENTIAL"}'),
        no_access=errors(
            403, "UNAUTHORIZED", "The client does not have permission for manifest"
        ),
    ),
    rejected="the token has expired or was revoked",
    denied="give the user Read on the repository",
)
_NEXUS_REALM = "https://docker.nexus.example.com/v2/token"
_NEXUS_DENIES = errors(
    401, "UNAUTHORIZED", "access to the requested resource is not authorized"
)
# The two challenges: sonatype/nexus-public#921. No access: hashicorp/terraform#35370.
NEXUS = ProviderCase(
    name="Nexus, Basic",
    provider="nexus",
    auth_type="password",
    registry=Registry(
        host="nexus.example.com:8443",
        login=("puller", SECRET),
        challenge='BASIC realm="Sonatype Nexus Repository Manager"',
        wrong_login=_NEXUS_DENIES,
        no_access=_NEXUS_DENIES,
    ),
    rejected="while the Docker Bearer Token realm is not active",
    denied="nx-repository-view-docker-REPOSITORY-read",
)
NEXUS_BEARER = replace(
    NEXUS,
    name="Nexus, Bearer",
    auth_type="user_token",
    registry=replace(
        NEXUS.registry,
        host="docker.nexus.example.com",
        login=("Xk3f9aQ2", SECRET),
        challenge=bearer(_NEXUS_REALM, _NEXUS_REALM),
    ),
)
OTHER = ProviderCase(
    name="Other",
    provider="other",
    auth_type="password",
    registry=Registry(
        host="registry.example.com",
        login=("puller", SECRET),
        challenge=bearer("https://auth.example.com/token", "registry"),
        wrong_login=NO_SCOPE,
        no_access=NO_SCOPE,
    ),
    rejected="an access token may have expired or been revoked",
    denied="Give the account the right to pull it",
)
CASES = (
    *(DOCKERHUB, DOCKERHUB_OFFICIAL, QUAY, GHCR, GAR, GCR, ACR, GITLAB, OWN_GITLAB),
    *(ARTIFACTORY, NEXUS, NEXUS_BEARER, OTHER),
)
