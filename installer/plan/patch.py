"""The decisions of ``patch``, online and without the Internet."""

from __future__ import annotations

import argparse
from collections.abc import Iterable
from dataclasses import dataclass, field

from installer.commands.options import facts_of, hosts_of, portal_of, web_of
from installer.license.file import License
from installer.license.validity import check_pulls
from installer.lookup.look_up import look_up
from installer.lookup.verdicts import Verdict, read_image
from installer.manifests.application import additional_namespaces
from installer.manifests.directory import Manifests, Place
from installer.manifests.kustomizations import (
    Kustomization,
    namespace_of,
    vendor_kustomizations,
)
from installer.net.client import HttpClient
from installer.net.portal import Portal
from installer.net.registry import Registry
from installer.output.midstream import midstream_text
from installer.plan.images import (
    Fate,
    Hosts,
    PlannedImage,
    Resolve,
    kept_names,
    own_images,
    plan_images,
    pod_specs_with_secret,
    renamings,
    resolve_offline,
    version_of,
)
from installer.plan.own_registry import flat_names, refuse_digests
from installer.plan.pull_secrets import (
    Namespaces,
    namespaces_for,
    pull_secrets,
    secrets_yaml,
)
from installer.report import Progress, watched
from oci.pull_secrets import pull_secret_name, pull_secret_patches

OFFLINE = (
    "No portal was asked: every private image is taken as one that the proxy may pull. "
    "Give --portal to know."
)
_LEFT_TO_YOU = (
    "No pull secret is written: the license does not open your own registry. If that "
    "needs a login, add its Secret to the service accounts of the pods."
)


@dataclass(frozen=True, slots=True)
class Work:
    """What was decided, and the texts that say so to Kustomize.

    ``is_whole`` is false if something that was asked for cannot be done in files.
    """

    planned: list[PlannedImage]
    midstream: str
    secret: str = field(repr=False)
    notes: list[str]
    is_whole: bool


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of each image online. ``portal`` is the one that was asked."""

    planned: list[PlannedImage]
    hosts: Hosts
    portal: Portal | None
    web: HttpClient
    notes: tuple[str, ...]


def decide(
    options: argparse.Namespace, manifests: Manifests, license: License
) -> Decision:
    """Look up all images, and ask the portal about the private ones if there is one.

    Raises:
        LicenseError: no portal is asked, and the license file says that it has expired.
    """
    web = web_of(options)
    portal = portal_of(options, license, web)
    if portal is None:
        check_pulls(license)
    facts = facts_of(portal)
    hosts = hosts_of(options, license, facts)
    resolve: Resolve = (
        portal.resolve_images if portal else lambda each: resolve_offline(each, hosts)
    )
    planned = _planned(options, manifests, hosts, Registry(web), resolve)
    notes = () if portal else (OFFLINE,)
    return Decision(planned, hosts, portal, web, notes)


def online_work(
    options: argparse.Namespace, manifests: Manifests, license: License
) -> Work:
    """Decide about all images, and write what that needs."""
    decision = decide(options, manifests, license)
    namespaces = namespaces_for(
        options.namespace,
        additional_namespaces([each.path for each in manifests.files]),
        license.application,
    )
    kustomizations = vendor_kustomizations(manifests)
    wanted = _wanted(decision.planned, kustomizations)
    namespaces = namespaces.with_unnamed(wanted)
    problems = [
        *namespaces.problems,
        *_same_secret(manifests, license.application),
        *_elsewhere(wanted, namespaces),
        *_own_images(kustomizations),
    ]
    return Work(
        planned=decision.planned,
        midstream=_midstream(decision.planned, license.application),
        secret=secrets_yaml(pull_secrets(license, decision.hosts, namespaces)),
        notes=[*decision.notes, *problems],
        is_whole=not problems,
    )


def _same_secret(manifests: Manifests, application: str) -> list[str]:
    """Return a problem for each Secret of the vendor that has our name."""
    name = pull_secret_name(application)
    return [
        f"{file.name} has a Secret {name} of its own, which Kustomize refuses beside "
        "ours. Ask your vendor to leave it out."
        for file in manifests.files
        if any(
            (each.kind, each.name) == ("Secret", name) for each in file.manifest.objects
        )
    ]


def _midstream(planned: list[PlannedImage], application: str) -> str:
    name = pull_secret_name(application)
    return midstream_text(
        renamings(planned),
        kept=kept_names(planned),
        patches=pull_secret_patches(pod_specs_with_secret(planned), name),
        has_secret=True,
    )


def _planned(
    options: argparse.Namespace,
    manifests: Manifests,
    hosts: Hosts,
    registry: Registry,
    resolve: Resolve,
) -> list[PlannedImage]:
    places = manifests.places()
    ours = own_images(places, hosts)
    verdicts = look_up(
        [image for image in places if image not in ours],
        registry,
        progress=Progress("Looked up", shown=watched(wanted=options.progress)),
    )
    return plan_images(places, hosts, verdicts, resolve)


def _wanted(
    planned: Iterable[PlannedImage], kustomizations: list[Kustomization]
) -> set[str]:
    """Return the namespaces whose pods want the secret; "" is where it is applied.

    A namespace that a kustomization of the vendor sets is one, whatever the pods say.
    """
    wanted = {
        namespace_of(place.file, kustomizations) or place.pod_image.object.namespace
        for each in planned
        if each.needs_secret
        for place in each.places
    }
    if wanted:
        wanted |= {each.namespace for each in kustomizations if each.namespace}
    return wanted


def _elsewhere(wanted: set[str], namespaces: Namespaces) -> list[str]:
    """Return a problem for each namespace whose pods would miss the secret."""
    return [
        f"Pods in the namespace {each} pull with the license, and no pull secret is "
        "written for it. The vendor should name it in additionalNamespaces of the "
        f"Application manifest; until then give --namespace {each}."
        for each in sorted(wanted - {"", *namespaces.names})
    ]


def _own_images(kustomizations: Iterable[Kustomization]) -> list[str]:
    """Return a problem for each list of the vendor that changes images before we do."""
    return [
        f"{each.file} has images of its own. What it makes of them was not looked up, "
        "and is not renamed: look at the result with kubectl kustomize, and ask your "
        "vendor to name the images in the manifests themselves."
        for each in kustomizations
        if each.has_images
    ]


def airgapped_work(
    options: argparse.Namespace, manifests: Manifests, license: License
) -> Work:
    """Decide without any request: all images are where the customer put them.

    Raises:
        CannotFlatten: an image is named by digest, or two would become one.
    """
    places = manifests.places()
    hosts = own_hosts(options, license)
    refuse_digests(places)
    names = flat_names(places, options.registry, hosts)
    planned = [
        _on_own_registry(image, tuple(named), names) for image, named in places.items()
    ]
    text = midstream_text(
        renamings(planned), kept=kept_names(planned), patches=(), has_secret=False
    )
    problems = _own_images(vendor_kustomizations(manifests))
    notes = [_LEFT_TO_YOU, *problems]
    return Work(planned, text, secret="", notes=notes, is_whole=not problems)


def own_hosts(options: argparse.Namespace, license: License) -> Hosts:
    """Return the hosts that options and license name, with no portal asked."""
    return Hosts(
        license.application,
        tuple(filter(None, [*options.proxy, license.proxy_host])),
        tuple(filter(None, [*options.private_registry, license.registry_host])),
    )


def _on_own_registry(
    image: str, places: tuple[Place, ...], names: dict[str, str]
) -> PlannedImage:
    found = read_image(image)
    if isinstance(found, Verdict):
        return PlannedImage(image, places, Fate.UNKNOWN, found.sentence, found.status)
    return PlannedImage(
        image=image,
        places=places,
        fate=Fate.OWN_REGISTRY,
        sentence="It is pulled from your own registry.",
        new_image=names[image] + version_of(image),
    )
