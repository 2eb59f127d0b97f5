"""Every file of a directory is read or reported."""

from __future__ import annotations

from pathlib import Path

import pytest

from installer.manifests.application import additional_namespaces
from installer.manifests.directory import read_directories

POD = b"kind: Pod\nspec: {containers: [{image: redis}]}\n"


def problems(directory: Path) -> dict[str, str]:
    return {item.name: item.problem for item in read_directories([directory]).problems}


@pytest.mark.parametrize("name", ["a.yaml", "a.yml", "a.json", "deep/er/a.yaml"])
def test_yaml_and_json_at_any_depth(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b'{"kind": "Pod", "spec": {"containers": [{"image": "redis"}]}}')

    (places,) = read_directories([tmp_path]).places().values()

    assert [item.file for item in places] == [name]


@pytest.mark.parametrize("name", ["a.txt", ".a.yaml", ".git/a.yaml", "README"])
def test_other_files_are_ignored(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(POD)

    assert read_directories([tmp_path]).files == ()


def test_a_byte_order_mark_and_windows_lines_are_accepted(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"\xef\xbb\xbf" + POD.replace(b"\n", b"\r\n"))

    assert list(read_directories([tmp_path]).places()) == ["redis"]


def test_large_files_of_custom_resources_are_read(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(POD + b"---\n# " + b"x" * 5_000_000 + b"\n")

    assert list(read_directories([tmp_path]).places()) == ["redis"]


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"\xff\xfe", "not UTF-8 text"),
        (b"kind: Pod\n\tspec:", "Line 2: This is not YAML"),
        (b"{{- if .Values.x }}\nkind: Pod\n{{- end }}\n", "render it first"),
        (b"a: &a [*a]\n", "contains itself"),
        (b"kind: Pod\x00", "U+0000 is not allowed"),
    ],
)
def test_unreadable_files_are_reported(
    tmp_path: Path, content: bytes, says: str
) -> None:
    (tmp_path / "bad.yaml").write_bytes(content)
    (tmp_path / "good.yaml").write_bytes(POD)

    unreadable = problems(tmp_path)

    assert list(unreadable) == ["bad.yaml"]
    assert says in unreadable["bad.yaml"]
    assert list(read_directories([tmp_path]).places()) == ["redis"]


def test_a_file_that_is_too_large_is_reported(tmp_path: Path) -> None:
    with (tmp_path / "a.yaml").open("wb") as file:
        file.truncate(50_000_001)

    assert problems(tmp_path) == {"a.yaml": "It is larger than 50 MB."}


def test_additional_namespaces_come_from_app_managers_only(tmp_path: Path) -> None:
    texts = {
        "one": "apiVersion: kots.io/v1beta1\nkind: Application\n",
        "two": "apiVersion: app.k8s.io/v1beta1\nkind: Application\n",
        "other": "apiVersion: argoproj.io/v1alpha1\nkind: Application\n",
        "kind": "apiVersion: kots.io/v1beta1\nkind: Config\n",
    }
    for name, text in texts.items():
        (tmp_path / name).write_text(
            f"{text}spec: {{additionalNamespaces: [{name}]}}\n"
        )
    (tmp_path / "bad").write_text("additionalNamespaces: [")
    (tmp_path / "odd").write_text(
        "apiVersion: kots.io/v1beta1\nkind: Application\n"
        "spec: {additionalNamespaces: {a: b}}\n"
    )

    namespaces = additional_namespaces([*sorted(tmp_path.iterdir()), tmp_path / "none"])

    assert namespaces == ("one", "two")
