"""The routes of the served OpenAPI document, and requests that fit them."""
import re

from .api import uuid7

# Members that make a request well-formed enough to reach what a test is about; unknown ids are never found.
PARAMETERS = {"transition": "cancel", "version": "1", "secret": "made-up"}


def operations(spec: dict) -> list:
    """(method, path template, operation) of every call that the document names."""
    methods = ("get", "post", "put", "patch", "delete")
    return [(method.upper(), path, item[method]) for path, item in sorted(spec["paths"].items()) for method in methods if method in item]


def concrete(path: str, known: dict | None = None) -> str:
    """The template with its parameters filled in: those of `known`, else ids that name nothing."""

    def value(match):
        name = match[1]
        return str((known or {}).get(name) or PARAMETERS.get(name) or uuid7())

    return re.sub(r"\{(\w+)\}", value, path)


def takes_body(operation: dict) -> bool:
    return "requestBody" in operation


def is_open(path: str) -> bool:
    """Paths that need no session: health, the family's page, sign-in itself, the documents."""
    return not path.startswith("/api/v1/") or path == "/api/v1/session"
