from __future__ import annotations

from typing import Any

from drf_spectacular.openapi import AutoSchema

PROBLEM = {
    "type": "object",
    "description": "RFC 9457 problem details",
    "properties": {
        "type": {"type": "string", "format": "uri-reference"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "code": {"type": "string", "description": "Stable, for programs"},
        "detail": {"type": "string", "description": "A sentence for people"},
        "errors": {
            "type": "object",
            "description": "Messages by field, such as `name`, or of an object in a "
            "field, such as `pull_credential.name`; `body` for those of no field",
            "additionalProperties": {"type": "array", "items": {"type": "string"}},
        },
        "existing": {
            "type": "string",
            "nullable": True,
            "format": "uuid",
            "description": "Of a 409 that says a value is taken: the ID of the object "
            "that has it; null if it is another team's",
        },
        "in_use": {
            "type": "object",
            "description": "Of a 409 that `confirm` overrules: what would stop",
            "properties": {
                "applications": {"type": "array", "items": {"type": "string"}},
                "active_licenses": {"type": "integer"},
                "pulls": {"type": "integer", "description": "In the last 30 days"},
            },
        },
    },
    "required": ["type", "title", "status", "code", "detail"],
}
_IDEMPOTENCY_KEY = {
    "in": "header",
    "name": "Idempotency-Key",
    "description": "Repeating a creating request with the same key returns the same "
    "response for 24 hours, instead of creating another object.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
}
_IF_MATCH = {
    "in": "header",
    "name": "If-Match",
    "description": "The ETag of the object as it was read, or `*`. If it has changed "
    "since, the answer is 412 and nothing changes.",
    "schema": {"type": "string"},
}
_ETAG = {
    "description": "Of this version of the object, for `If-Match`",
    "schema": {"type": "string"},
}
_RETRY_AFTER = {
    "Retry-After": {
        "description": "Seconds until it is worth another try",
        "schema": {"type": "integer"},
    }
}
_FAILED = (
    "An external registry failed (502), or Berth is busy or without its database "
    "(503): whether a change was saved is unknown. Send it again with the same "
    "Idempotency-Key"
)
_PROBLEMS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("4XX", "A problem, in RFC 9457 form", {}),
    ("429", "Too many requests", _RETRY_AFTER),
    (
        "5XX",
        _FAILED,
        _RETRY_AFTER,
    ),
)
_MARKS = (("readOnly", True), ("writeOnly", True))
_VERBS = {
    "GET": "read",
    "POST": "create",
    "PUT": "replace",
    "PATCH": "change",
    "DELETE": "delete",
}


class BerthSchema(AutoSchema):
    """Conventions that apply to all operations.

    A URL that ends in a plural is a list of pages, unless its view says ``is_paged =
    False``; POST there creates, elsewhere it acts on an object. Responses are of the
    view's ``serializer_class``, bodies must be declared.
    """

    def get_tags(self) -> list[str]:
        first = self.path.removeprefix("/api/v1/").split("/")[0]
        return ["license-holder" if first == "license" else first]

    def get_operation_id(self) -> str:
        """Return an ID such as customers_list, customers_read, customers_archive."""
        names = [name.replace("-", "_") for name in self._tokenize_path()]
        if names[0] == "license":
            names[0] = "held_license"  # beside licenses, which vendors have
        is_action = self.method == "POST" and not self._is_create_operation()
        # What an application contains is known by its own name.
        if names[0] == "applications" and not is_action:
            names = names[1:] or names
        if is_action:
            return "_".join(names)
        verb = "list" if self._is_list_view() else _VERBS[self.method]
        return "_".join([*names, verb])

    def get_request_serializer(self) -> None:
        return None

    def _get_serializer_name(
        self, serializer: Any, direction: str, bypass_extensions: bool = False
    ) -> str:
        # Bodies have serializers of their own, and names such as NewCustomer.
        return super()._get_serializer_name(serializer, "response", bypass_extensions)

    def _is_list_view(self, serializer: Any = None) -> bool:
        is_paged = getattr(self.view, "is_paged", True)
        return self.method == "GET" and self.path.endswith("s") and is_paged

    def _is_create_operation(self) -> bool:
        has_list = hasattr(self.view, "get")
        return self.method == "POST" and has_list and self.path.endswith("s")

    def get_operation(self, *args: Any, **kwargs: Any) -> dict[str, Any] | None:
        operation = super().get_operation(*args, **kwargs)
        if operation is None:
            return None
        handler = getattr(self.view, self.method.lower())
        parameters = operation.setdefault("parameters", [])
        if getattr(handler, "is_idempotent", False):
            parameters.append(_IDEMPOTENCY_KEY)
        if getattr(handler, "is_conditional", False):
            parameters.append(_IF_MATCH)
        if self._shows_what_changes():
            _describe_etag(operation)
        return operation

    def _shows_what_changes(self) -> bool:
        """Return whether this changes, or reads, an object that has an ETag."""
        # A list is read where its objects are created; neither says what changes.
        is_read = self.method == "GET" and not hasattr(self.view, "post")
        methods = ("PATCH", "PUT", "DELETE") if is_read else (self.method,)
        handlers = [getattr(self.view, name.lower(), None) for name in methods]
        return any(getattr(each, "is_conditional", False) for each in handlers)


def _describe_etag(operation: dict[str, Any]) -> None:
    for status, answer in operation["responses"].items():
        if status.startswith("2") and "content" in answer:
            answer.setdefault("headers", {})["ETag"] = _ETAG


def simplify(
    result: dict[str, Any], generator: Any, request: Any, public: bool
) -> dict[str, Any]:
    """Leave out what generators of clients turn into types that nobody wants.

    Each schema is either sent or received, so none needs to say which of its fields
    are. "An e-mail address or an empty text" is a text, not a union of two classes.
    """
    simple: dict[str, Any] = _simplified(result)
    return simple


def _simplified(part: Any) -> Any:
    if isinstance(part, list):
        return [_simplified(item) for item in part]
    if not isinstance(part, dict):
        return part
    schema = {
        name: _simplified(value)
        for name, value in part.items()
        if (name, value) not in _MARKS
    }
    match schema:
        case {"oneOf": [dict(text), {"type": "string", "maxLength": 0}]}:
            del schema["oneOf"]
            text.pop("format", None)
            return {**text, **schema}
        case {"allOf": [dict(only)]} if len(schema) == 1:
            return only
    return schema


def describe_problems(
    result: dict[str, Any], generator: Any, request: Any, public: bool
) -> dict[str, Any]:
    """Add the error responses that all operations share."""
    result.setdefault("components", {}).setdefault("schemas", {})["Problem"] = PROBLEM
    for operations in result.get("paths", {}).values():
        for operation in operations.values():
            for status, description, headers in _PROBLEMS:
                answer = _problem(description, headers)
                operation["responses"].setdefault(status, answer)
    return result


def _problem(description: str, headers: dict[str, Any]) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        "description": description,
        "content": {"application/problem+json": {"schema": schema}},
        **({"headers": headers} if headers else {}),
    }
