from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from oci.pod_images import KubernetesObject, PodImage, PodSpec, read_manifest
from oci.yaml_documents import MalformedYaml

POD_SPEC = "containers: [{name: api, image: 'quay.io/my-org/api:v1.0.1'}]"


def images(text: str) -> list[str]:
    return [item.image for item in read_manifest(text).images]


def test_the_deployment_of_the_documentation() -> None:
    manifest = read_manifest(
        """
  apiVersion: apps/v1
  kind: Deployment
  metadata:
    name: example
    namespace: prod
  spec:
    template:
      spec:
        containers:
          - name: api
            image: quay.io/my-org/api:v1.0.1
"""
    )

    described = KubernetesObject("apps/v1", "Deployment", "example", "prod")
    assert manifest.objects == (described,)
    assert str(described) == "Deployment example"
    assert manifest.images == (
        PodImage(
            image="quay.io/my-org/api:v1.0.1",
            container="api",
            object=described,
            path="spec/template/spec/containers[]/image",
            line=12,
            pod_spec=PodSpec("/spec/template/spec"),
        ),
    )


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("Pod", "spec"),
        ("PodTemplate", "template/spec"),
        ("ReplicationController", "spec/template/spec"),
        ("Deployment", "spec/template/spec"),
        ("StatefulSet", "spec/template/spec"),
        ("DaemonSet", "spec/template/spec"),
        ("ReplicaSet", "spec/template/spec"),
        ("Job", "spec/template/spec"),
        ("CronJob", "spec/jobTemplate/spec/template/spec"),
        ("Rollout", "spec/template/spec"),
        ("ThingOfMyOperator", "spec/deep/down/podTemplate"),
    ],
)
@pytest.mark.parametrize(
    "containers", ["containers", "initContainers", "ephemeralContainers"]
)
def test_every_kind_of_container_of_every_kind_of_workload(
    kind: str, path: str, containers: str
) -> None:
    document: dict[str, Any] = {containers: [{"name": "x", "image": "my-org/api"}]}
    for part in reversed(path.split("/")):
        document = {part: document}
    text = json.dumps({"kind": kind, "metadata": {"name": "n"}, **document})

    (found,) = read_manifest(text).images

    assert (found.image, found.object.kind) == ("my-org/api", kind)
    assert found.path == f"{path}/{containers}[]/image"


def test_image_volumes_are_images_too() -> None:
    text = (
        "kind: Pod\nspec:\n  volumes:\n"
        "  - {name: data, image: {reference: 'quay.io/my-org/data:v1'}}\n"
        "  - {name: other, emptyDir: {}}\n"
    )

    (found,) = read_manifest(text).images

    assert found.image == "quay.io/my-org/data:v1"
    assert found.container == "data"
    assert found.path == "spec/volumes[]/image/reference"


def test_items_of_lists_are_objects_of_their_own() -> None:
    text = f"""
kind: List
items:
- kind: PodList
  items:
  - {{kind: Pod, metadata: {{name: one}}, spec: {{{POD_SPEC}}}}}
- {{kind: Pod, metadata: {{generateName: two-}}, spec: {{{POD_SPEC}}}}}
"""
    manifest = read_manifest(text)

    assert [item.name for item in manifest.objects] == ["one", "two-"]
    assert [item.object.name for item in manifest.images] == ["one", "two-"]
    assert manifest.images[0].path == "spec/containers[]/image"


def test_several_documents_in_their_order() -> None:
    text = "\n---\n".join(
        f"kind: Pod\nspec: {{containers: [{{image: r{n}}}]}}" for n in range(3)
    )

    assert images(text) == ["r0", "r1", "r2"]


def test_what_is_no_kubernetes_object_is_passed_over() -> None:
    assert images(f"services: {{{POD_SPEC}}}\n---\n- a\n---\nb\n---\n") == []


def test_the_description_of_a_custom_resource_names_no_image() -> None:
    text = f"kind: CustomResourceDefinition\nspec: {{example: {{{POD_SPEC}}}}}"
    manifest = read_manifest(text)

    assert (len(manifest.objects), manifest.images) == (1, ())


@pytest.mark.parametrize("image", ["", "null", "[a]", "{a: b}"])
def test_what_is_no_text_is_no_image(image: str) -> None:
    assert images(f"kind: Pod\nspec:\n  containers:\n  - image: {image}\n") == []


def test_containers_may_be_anything() -> None:
    assert images("kind: Pod\nspec: {containers: [a, [b], null, 1]}") == []
    assert images("kind: Pod\nspec: {containers: {image: a}}") == []


def test_aliases_and_merged_keys_are_looked_through() -> None:
    text = """
kind: Pod
x-base: &base {image: quay.io/my-org/base, name: base}
spec:
  initContainers: &all
  - <<: *base
    name: one
  containers: *all
"""
    found = [
        (item.image, item.container, item.path) for item in read_manifest(text).images
    ]

    assert found == [
        ("quay.io/my-org/base", "one", "spec/initContainers[]/image"),
        ("quay.io/my-org/base", "one", "spec/containers[]/image"),
    ]


def test_slashes_in_keys_are_escaped_in_paths() -> None:
    (found,) = read_manifest(
        f"kind: Thing\nspec: {{'example.com/pod': {{{POD_SPEC}}}}}"
    ).images

    assert found.path == "spec/example.com\\/pod/containers[]/image"


@pytest.mark.parametrize(
    ("secrets", "expected"),
    [
        ("", None),
        ("imagePullSecrets:", None),
        ("imagePullSecrets: []", ()),
        ("imagePullSecrets: [{name: a}, {name: b}, c]", ("a", "b")),
    ],
)
def test_a_pod_spec_tells_its_place_and_its_pull_secrets(
    secrets: str, expected: tuple[str, ...] | None
) -> None:
    text = (
        f"kind: Thing\nspec:\n- a/b~c:\n    containers: [{{image: x}}]\n    {secrets}\n"
    )

    (found,) = read_manifest(text).images

    assert found.pod_spec == PodSpec("/spec/0/a~1b~0c", expected)


def test_merged_containers_belong_to_the_pod_spec_that_they_are_merged_into() -> None:
    text = """
kind: Pod
x-one: &one {containers: [{image: a}]}
x-two: &two {initContainers: [{image: b}]}
spec:
  <<: [*one, *two]
  imagePullSecrets: [{name: mine}]
"""
    found = {
        item.image: (item.path, item.pod_spec)
        for item in read_manifest(text).images
        if item.path.startswith("spec")
    }

    spec = PodSpec("/spec", ("mine",))
    assert found == {
        "a": ("spec/containers[]/image", spec),
        "b": ("spec/initContainers[]/image", spec),
    }


def test_larger_texts_are_read_where_that_is_wanted() -> None:
    text = f"kind: Pod\nspec: {{{POD_SPEC}}}\n# {'x' * 1_000_000}\n"

    with pytest.raises(MalformedYaml, match="larger than 1 MB"):
        read_manifest(text)
    assert len(read_manifest(text, max_bytes=2_000_000).images) == 1


def test_bad_yaml_is_refused_with_its_line() -> None:
    with pytest.raises(MalformedYaml, match=r"^Line 2: "):
        read_manifest("kind: Pod\n\tspec:")


names = st.sampled_from(
    ["kind", "spec", "containers", "initContainers", "image", "items", "volumes", "x"]
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8) | st.just("List"),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4)
    ),
    max_leaves=30,
)


@settings(deadline=None)
@given(values)
def test_any_structure_is_read(value: object) -> None:
    manifest = read_manifest(yaml.safe_dump(value))

    assert all(item.image == item.image.strip() for item in manifest.images)


def test_documents_without_a_kind_are_told_by_their_line() -> None:
    text = (
        "kind: Pod\n---\n---\nreplicas: 3\n---\n# only a comment\n---\n[1]\n"
        "---\nkind: List\nitems:\n- kind: Pod\n- replicas: 3\n"
    )

    assert read_manifest(text).without_kind == (4, 8, 13)


@pytest.mark.parametrize(
    ("metadata", "name", "is_generated"),
    [
        ("{name: web}", "web", False),
        ("{generateName: web-}", "web-", True),
        ("{name: web, generateName: other-}", "web", False),
        ("{}", "", False),
        ("null", "", False),
        ("[web]", "", False),
    ],
)
def test_a_generated_name_is_told_from_a_given_one(
    metadata: str, name: str, is_generated: bool
) -> None:
    text = f"kind: Job\nmetadata: {metadata}\n"

    (described,) = read_manifest(text).objects

    assert (described.name, described.is_generated) == (name, is_generated)
    assert str(described) == f"Job {name}".rstrip()


def test_everything_beside_a_merged_mapping_is_searched_too() -> None:
    text = """\
kind: Pod
base: &base
  containers: [{name: merged, image: a}]
spec:
  <<: *base
  initContainers: [5, {name: beside, image: b}, [], {name: last, image: c}]
"""

    found = read_manifest(text).images

    assert [item.image for item in found] == ["a", "a", "b", "c"]


def test_the_places_of_image_volumes_and_nested_lists() -> None:
    text = """\
kind: Custom
spec:
  groups:
  - - volumes:
      - text
      - {name: model, image: {reference: a}}
      imagePullSecrets: [{name: secret}]
      containers:
      - {name: web, image: {reference: no}}
"""

    (found,) = read_manifest(text).images

    assert found.path == "spec/groups[][]/volumes[]/image/reference"
    assert found.pod_spec == PodSpec("/spec/groups/0/0", ("secret",))
    assert (found.image, found.container, found.line) == ("a", "model", 6)


def test_only_a_list_has_items_that_are_objects() -> None:
    text = "kind: Menu\nitems: [{kind: Pod, containers: [{image: a}]}, {x: 1}]\n"

    found = read_manifest(text)

    assert [item.kind for item in found.objects] == ["Menu"]
    assert [item.object.kind for item in found.images] == ["Menu"]
    assert found.without_kind == ()
    assert read_manifest("kind: PodList\nitems: a\n").objects[0].kind == "PodList"
