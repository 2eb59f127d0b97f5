"""Azure Container Registry."""

from __future__ import annotations

import re

from registries.providers.problems import Problem
from registries.providers.provider import AuthType, Provider

ACR = Provider(
    name="acr",
    title="Azure",
    auth_types=(
        AuthType(
            "service_principal",
            "Service principal",
            username_label="Application (client) ID",
            secret_label="Client secret",
            username_help="Looks like 7f3c0e5a-1c2d-4b6f-9a8e-0d1c2b3a4f5e.",
        ),
        AuthType(
            "token",
            "Repository token",
            username_label="Token name",
            secret_label="Token password",
        ),
        AuthType("password", "Admin user"),
    ),
    endpoint_pattern=re.compile(r"[a-z0-9-]+\.azurecr\.(io|cn|us)"),
    endpoint_example="my-registry.azurecr.io",
    endpoint_help="The login server on the overview page of the registry.",
    help=(
        (
            "Service principal: register an application in Microsoft Entra ID, add a "
            "client secret, and give it the role AcrPull on the registry, or Container "
            "Registry Repository Reader if the registry uses ABAC."
        ),
        (
            "Repository token: on the registry's page open Tokens, and add one with "
            "the scope map _repositories_pull."
        ),
        "The admin user may also push and delete; prefer one of the others.",
    ),
    help_url="https://learn.microsoft.com/azure/container-registry/"
    "container-registry-authentication",
    guide="registries/azure/",
    meanings={
        Problem.WRONG_CREDENTIAL: "Azure reports this when the client secret or the "
        "token password has expired. Add a new one and enter it here.",
        Problem.NOT_LET_IN: "Azure reports this when the registry's firewall blocks "
        "the address of this installation.",
        Problem.NO_ACCESS: "In Azure, give the service principal the role AcrPull "
        "(Container Registry Repository Reader in a registry with ABAC), or the token "
        "a scope map that may read this repository.",
    },
)
