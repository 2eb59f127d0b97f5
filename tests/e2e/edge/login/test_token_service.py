"""The token server's contract: distribution-spec auth/token.md and auth/oauth.md."""

from __future__ import annotations

import base64
from datetime import datetime
from typing import Any

import jwt
import pytest
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret

from licenses.services import revoke_license
from teams.models import ApiToken
from teams.permissions import Role
from teams.services import create_service_account
from tests.support.clients.edge import Answer, EdgeClient
from tests.support.rows.vendor import Vendor


def claims(answer: Answer) -> dict[str, Any]:
    """Read a token without verifying it: the proxy and registries do that."""
    assert answer.status == 200, answer.body
    return dict(jwt.decode(answer.json["token"], options={"verify_signature": False}))


def post(edge: EdgeClient, form: str, content_type: str = "") -> Answer:
    headers = {"Content-Type": content_type or "application/x-www-form-urlencoded"}
    return edge.request("POST", "/v2/token", headers, form.encode())


def image(vendor: Vendor) -> str:
    return f"proxy/{vendor.application.slug}/sample/my-org/api"


def test_get_answers_with_both_names_of_the_token(
    edge: EdgeClient, connected: Vendor
) -> None:
    login = ("anything", connected.license().license_id.reveal())

    answer = edge.token_answer(login, f"repository:{image(connected)}:pull")

    assert answer.json["token"] == answer.json["access_token"]
    assert answer.json["expires_in"] == 300
    assert datetime.fromisoformat(answer.json["issued_at"]).tzinfo is not None
    assert "refresh_token" not in answer.json
    assert answer.headers["Cache-Control"] == "no-store"


def test_claims_and_header_are_what_distribution_reads(
    edge: EdgeClient, connected: Vendor
) -> None:
    license = connected.license()
    login = ("anything", license.license_id.reveal())

    answer = edge.token_answer(login, f"repository:{image(connected)}:pull,push")

    read = claims(answer)
    assert read["iss"] == "berth"
    assert read["aud"] == "berth-proxy"
    assert read["sub"] == f"license:{license.pk}"
    assert read["access"] == [
        {"type": "repository", "name": image(connected), "actions": ["pull"]}
    ]
    header = jwt.get_unverified_header(answer.json["token"])
    assert header["alg"] == "ES256"
    assert len(header["x5c"]) == 1
    assert base64.urlsafe_b64decode(header["kid"] + "=")
    assert license.license_id.reveal() not in answer.body.decode()


def test_anonymous_gets_a_token_for_nothing(
    edge: EdgeClient, connected: Vendor
) -> None:
    read = claims(edge.token_answer(None, f"repository:{image(connected)}:pull"))

    assert read["sub"] == ""
    assert read["access"] == []


def is_refused(answer: Answer, reason: str = "credential_unknown") -> bool:
    """Return whether a token is for nobody and nothing, and says why."""
    read = claims(answer)
    assert answer.json["expires_in"] == 60
    return (read["sub"], read["access"]) == (f"refused:{reason}", [])


EMPTY_LOGINS = [("", ""), ("license", "")]


def test_an_empty_login_is_not_anonymous(edge: EdgeClient, connected: Vendor) -> None:
    """It may be a variable that is not set, so it must not seem to work."""
    scope = f"repository:{image(connected)}:pull"
    form = f"grant_type=password&service=berth-proxy&client_id=c&scope={scope}"

    answers = [
        *(edge.token_answer(login, scope) for login in EMPTY_LOGINS),
        post(edge, form),
        post(edge, f"{form}&username=&password="),
    ]

    assert all(map(is_refused, answers))
    for answer in answers:
        pulled = edge.get(image(connected), "manifests/v1", answer.json["token"])
        assert (pulled.status, pulled.error[0]) == (401, "DENIED")
        assert "No known license came with this request." in pulled.error[1]


@pytest.mark.parametrize("login", [*EMPTY_LOGINS, ("any", "2" * 27), ("any", "eyJ.e")])
def test_an_unknown_login_is_refused_where_no_pull_says_why(
    edge: EdgeClient, connected: Vendor, login: tuple[str, str]
) -> None:
    """At a bare login, a push, and the private registry without nginx."""
    private = f"repository:{connected.application.slug}/api"

    answers = [
        edge.token_answer(login),
        edge.token_answer(login, service="berth-registry"),
        edge.token_answer(login, f"{private}:pull", service="berth-registry"),
        edge.token_answer(login, f"{private}:pull,push", service="berth-registry"),
        edge.token_answer(login, f"repository:{image(connected)}:pull,push"),
    ]

    assert [(item.status, item.error[0]) for item in answers] == [
        (401, "UNAUTHORIZED")
    ] * 5
    assert answers[0].headers["WWW-Authenticate"] == 'Basic realm="Berth"'


def test_post_password_grant(edge: EdgeClient, connected: Vendor) -> None:
    license_id = connected.license().license_id.reveal()
    scope = f"repository:{image(connected)}:pull"

    answer = post(
        edge,
        f"grant_type=password&service=berth-proxy&client_id=containerd&username=x"
        f"&password={license_id}&scope={scope}%20repository:proxy/other/a/b:pull",
    )

    assert answer.json["access_token"] == answer.json["token"]
    assert answer.json["scope"] == scope
    assert answer.json["expires_in"] == 300


def test_several_scopes_in_both_spellings(edge: EdgeClient, connected: Vendor) -> None:
    login = ("x", connected.license().license_id.reveal())
    one, two = image(connected), image(connected) + "-two"

    repeated = edge.token_answer(
        login, f"repository:{one}:pull", f"repository:{two}:pull"
    )
    listed = edge.token_answer(login, f"repository:{one}:pull repository:{two}:pull")

    names = [item["name"] for item in claims(repeated)["access"]]
    assert names == [one, two]
    assert claims(listed)["access"] == claims(repeated)["access"]


@pytest.mark.parametrize(
    "scope",
    [
        "repository:proxy/no-such-app/sample/my-org/api:pull",
        "repository:my-org/api:pull",
        "registry:catalog:*",
        "repository(plugin):a/b:pull",
        "something:else:pull",
    ],
)
def test_what_is_not_allowed_is_left_out(
    edge: EdgeClient, connected: Vendor, scope: str
) -> None:
    login = ("x", connected.license().license_id.reveal())

    assert claims(edge.token_answer(login, scope))["access"] == []


def test_a_bare_login_with_a_revoked_license_is_refused(
    edge: EdgeClient, connected: Vendor
) -> None:
    license = connected.license()
    revoke_license(actor=connected.actor, license=license, reason="test")

    answer = edge.token_answer(("x", license.license_id.reveal()))

    assert answer.status == 401
    assert answer.error[1].startswith("This license was revoked on ")
    assert answer.headers["WWW-Authenticate"].startswith("Basic ")


def test_user_token_needs_its_users_address(
    edge: EdgeClient, connected: Vendor
) -> None:
    _, text = connected.api_token()
    scope = f"repository:{image(connected)}:pull"

    own = edge.token_answer((connected.owner.email.upper(), text.reveal()), scope)
    other = edge.token_answer(("somebody@else.example", text.reveal()), scope)

    assert len(claims(own)["access"]) == 1
    assert is_refused(other)


def test_service_account_token_goes_with_any_name(
    edge: EdgeClient, connected: Vendor
) -> None:
    robot = create_service_account(
        actor=connected.actor, team=connected.team, name="ci", role=Role.DEVELOPER
    )
    _, text = connected.api_token(ApiToken.Kind.SERVICE_ACCOUNT, service_account=robot)
    repository = f"{connected.application.slug}/api"

    answer = edge.token_answer(
        ("whatever", text.reveal()),
        f"repository:{repository}:pull,push,delete",
        service="berth-registry",
    )

    assert answer.json["expires_in"] == 60
    assert claims(answer)["access"] == [
        {
            "type": "repository",
            "name": repository,
            "actions": ["pull", "push", "delete"],
        }
    ]


def test_account_password_works_with_the_address_only(
    edge: EdgeClient, connected: Vendor
) -> None:
    scope = f"repository:{image(connected)}:pull"
    password = connected.give_owner_a_password()

    right = edge.token_answer((connected.owner.email, password), scope)
    wrong = edge.token_answer((connected.owner.email, "incorrect horse"), scope)
    nameless = edge.token_answer(("owner", password), scope)

    assert claims(right)["sub"] == f"user:{connected.owner.pk}"
    assert is_refused(wrong)
    assert is_refused(nameless)
    bare = edge.token_answer((connected.owner.email, "incorrect horse"))
    assert (bare.status, bare.error[0]) == (401, "UNAUTHORIZED")


def test_a_license_only_pulls_from_the_private_registry(
    edge: EdgeClient, connected: Vendor
) -> None:
    login = ("x", connected.license().license_id.reveal())
    own = f"repository:{connected.application.slug}/api:pull,push,delete"

    answer = edge.token_answer(
        login, own, "repository:other-app/api:pull", service="berth-registry"
    )

    assert claims(answer)["access"] == [
        {
            "type": "repository",
            "name": f"{connected.application.slug}/api",
            "actions": ["pull"],
        }
    ]


@pytest.mark.parametrize("service", ["berth-proxy", "berth-registry"])
def test_a_password_alone_is_not_enough_for_who_has_a_second_factor(
    edge: EdgeClient, connected: Vendor, service: str
) -> None:
    password = connected.give_owner_a_password()
    TOTP.activate(connected.owner, generate_totp_secret())
    email = connected.owner.email

    right = edge.token_answer((email, password), service=service)
    wrong = edge.token_answer((email, "incorrect horse"), service=service)

    assert (right.status, wrong.status) == (401, 401)
    assert right.error[1] == (
        "Your account has a second factor, so a password alone does not log in here. "
        "Create a user token under API tokens in the portal, and use it as the "
        "password."
    )
    assert right.json["errors"][0]["detail"] == {"reason": "second_factor_required"}
    assert wrong.json["errors"][0]["detail"] == {"reason": "credential_unknown"}
    assert "has a second factor" not in wrong.body.decode()


def test_a_license_that_is_over_gets_tokens_for_the_proxy_only(
    edge: EdgeClient, connected: Vendor
) -> None:
    license = connected.license()
    login = ("x", license.license_id.reveal())
    revoke_license(actor=connected.actor, license=license, reason="test")
    private = f"repository:{connected.application.slug}/api:pull"

    proxied = edge.token_answer(login, f"repository:{image(connected)}:pull")
    refused = edge.token_answer(login, private, service="berth-registry")

    assert claims(proxied)["access"] == []
    assert refused.status == 401
    assert refused.error[1].startswith("This license was revoked on ")


@pytest.mark.parametrize("password", ["2" * 27, "berth_user_x", "a password"])
def test_the_registry_tells_vendors_too_how_to_log_in(
    edge: EdgeClient, connected: Vendor, password: str
) -> None:
    answers = {
        service: edge.token_answer(("a@b.example", password), service=service)
        for service in ("berth-proxy", "berth-registry")
    }

    assert {item.status for item in answers.values()} == {401}
    assert answers["berth-registry"].error[1] == (
        "No known login came with this request. Log in with your e-mail address and a "
        "user token, or your password if you have no second factor; or with any "
        "username and a service account or team token. Customers log in with any "
        "username and their license ID or a pull credential as the password."
    )
    assert answers["berth-proxy"].error[1].startswith("No known license came with")


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v2/token?service=berth-proxy&scope=nonsense", 400),
        ("/v2/token?service=berth-proxy&scope=repository:a%00b:pull", 400),
        ("/v2/token?service=somebody-else", 400),
        ("/v2/token?service=berth-proxy&scope=" + "a" * 3000, 400),
        ("/v2/token?" + "&".join(["scope=repository:a/b:pull"] * 101), 400),
        ("/v2/token?service=%ff", 400),
    ],
)
def test_malformed_requests_are_told_so(
    edge: EdgeClient, connected: Vendor, path: str, status: int
) -> None:
    answer = edge.request("GET", path)

    assert answer.status == status
    assert answer.error[0] == "UNSUPPORTED"


@pytest.mark.parametrize(
    "header",
    [
        "Basic not-base64!",
        "Basic " + base64.b64encode(b"no colon").decode(),
        "Basic " + base64.b64encode(b"nul:\x00").decode(),
        "Basic " + base64.b64encode(b"\xff:\xff").decode(),
        "Bearer abc",
        "Negotiate abc",
    ],
)
def test_malformed_authorization_is_told_so(
    edge: EdgeClient, connected: Vendor, header: str
) -> None:
    answer = edge.request(
        "GET", "/v2/token?service=berth-proxy", {"Authorization": header}
    )

    assert answer.status == 400
    assert answer.error[0] == "UNSUPPORTED"


@pytest.mark.parametrize(
    ("form", "status"),
    [
        ("grant_type=refresh_token&service=berth-proxy&refresh_token=abc", 401),
        ("grant_type=authorization_code&service=berth-proxy", 400),
        ("grant_type=password&client_id=c&username=x&password=y", 400),
        ("grant_type=password&service=berth-proxy&username=x&password=y", 400),
        ("grant_type=password&service=berth-proxy&client_id=&username=x", 400),
        ("service=berth-proxy", 400),
        ("", 400),
        ("a=" + "b" * 70_000, 413),
    ],
)
def test_malformed_posts_are_told_so(
    edge: EdgeClient, connected: Vendor, form: str, status: int
) -> None:
    answer = post(edge, form)

    assert answer.status == status
    assert answer.json["errors"][0]["message"]


def test_other_methods_are_not_taken(edge: EdgeClient, connected: Vendor) -> None:
    answer = edge.request("PUT", "/v2/token")

    assert (answer.status, answer.error[0]) == (405, "UNSUPPORTED")
    assert answer.headers["Allow"] == "GET, HEAD, POST"


def test_head_says_what_get_would(edge: EdgeClient, connected: Vendor) -> None:
    answer = edge.request("HEAD", "/v2/token?service=berth-proxy")

    assert (answer.status, answer.body) == (200, b"")
