"""Every spelling in spellings.yaml has the expected result."""

from __future__ import annotations

from pathlib import Path

import pytest

from installer.manifests.directory import read_directories
from installer.output.midstream import pod_specs_with_secret
from tests.support.installer.pods import pod
from tests.support.installer.spellings import Shape, Spelling, plan, shapes, spellings


def test_the_list_is_long() -> None:
    assert len({item.image for item in spellings()}) == len(spellings())
    assert len(spellings()) + len(shapes()) >= 60


@pytest.mark.parametrize("spelling", spellings(), ids=lambda item: item.image)
def test_a_private_image_becomes_what_the_list_says(
    spelling: Spelling, tmp_path: Path
) -> None:
    (tmp_path / "pod.yaml").write_text(pod("one", spelling.image))

    (planned,) = plan(read_directories([tmp_path]))

    assert planned.image == spelling.image
    assert (planned.fate.value, planned.new_image) == (spelling.fate, spelling.becomes)
    assert spelling.says in planned.sentence


@pytest.mark.parametrize("shape", shapes(), ids=lambda item: item.shape)
def test_the_pod_specs_that_need_the_secret_are_found(
    shape: Shape, tmp_path: Path
) -> None:
    (tmp_path / "all.yaml").write_text(shape.manifest)

    planned = plan(read_directories([tmp_path]))

    needing = {
        spec.pointer
        for found_in, specs in pod_specs_with_secret(planned).items()
        if (found_in.name, found_in.namespace) == (shape.name, shape.namespace)
        for spec in specs
    }
    assert needing == {pointer for pointer, names in shape.specs.items() if names}
