from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from oci.errors import ErrorCode, error_body


@pytest.mark.parametrize("code", ErrorCode)
def test_error_code_is_its_own_name(code: ErrorCode) -> None:
    assert code.value == code.name


def test_error_body_leaves_out_a_missing_detail() -> None:
    body = error_body(ErrorCode.MANIFEST_UNKNOWN, "No such manifest \u2013 caf\u00e9.")

    assert (
        body
        == (
            '{"errors":[{"code":"MANIFEST_UNKNOWN",'
            '"message":"No such manifest \u2013 caf\u00e9."}]}'
        ).encode()
    )


def test_error_body_keeps_an_empty_detail() -> None:
    body = error_body(ErrorCode.UNAUTHORIZED, "", [])

    assert body == b'{"errors":[{"code":"UNAUTHORIZED","message":"","detail":[]}]}'


def test_error_body_replaces_a_lone_surrogate() -> None:
    body = error_body(ErrorCode.UNKNOWN, "a\ud800b")

    assert body == b'{"errors":[{"code":"UNKNOWN","message":"a?b"}]}'


@given(
    st.sampled_from(ErrorCode),
    st.text(),
    st.dictionaries(st.text(), st.text() | st.integers() | st.booleans()),
)
def test_error_body_reads_back_as_json(
    code: ErrorCode, message: str, detail: dict[str, object]
) -> None:
    assert json.loads(error_body(code, message, detail)) == {
        "errors": [{"code": code.name, "message": message, "detail": detail}]
    }
