from __future__ import annotations

import copy
import pickle

import pytest

from portal.crypto.secrets import Secret

SECRET = Secret("hunter2")


def test_secret_hides_itself() -> None:
    shown = [repr(SECRET), str(SECRET), f"{SECRET}", f"{SECRET:>20}", f"{[SECRET]}"]
    shown.append("%s" % SECRET)  # noqa: UP031 -- the old form too

    assert not [text for text in shown if "hunter2" in text]
    assert SECRET.reveal() == "hunter2"


def test_secret_is_not_serialised() -> None:
    with pytest.raises(TypeError):
        pickle.dumps(SECRET)
    with pytest.raises(TypeError):
        copy.deepcopy(SECRET)


def test_secret_equals_the_same_secret_only() -> None:
    assert Secret("hunter2") == SECRET
    assert Secret("hunter3") != SECRET
    assert SECRET != "hunter2"
    with pytest.raises(TypeError):
        hash(SECRET)


def test_secret_is_true_if_it_has_text() -> None:
    assert SECRET
    assert not Secret("")
