"""What the OpenAPI document says beyond what the framework reads from the code. Pure."""

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

PROBLEM = "application/problem+json"
JSON = "application/json"
SECURITY = {
    "token": {"type": "http", "scheme": "bearer", "description": "`crewsight token add`."},
    "session": {"type": "apiKey", "in": "cookie", "name": "crewsight-session", "description": "Who is signed in."},
}


def documented(api: FastAPI) -> Callable[[], dict[str, Any]]:
    """The document of an API, made once: errors are problem+json (RFC 9457), and there are two ways to be somebody."""
    made: dict[str, Any] = {}

    def document() -> dict[str, Any]:
        if not made:
            made.update(get_openapi(title=api.title, version=api.version, routes=api.routes))
            made["components"]["securitySchemes"] = SECURITY
            made["security"] = [{name: []} for name in SECURITY] + [{}]  # nobody has to before there is a user
            for path in made["paths"].values():
                for operation in path.values():
                    _tell_errors(operation["responses"])
        return made

    return document


def _tell_errors(responses: dict[str, dict[str, Any]]) -> None:
    for status, response in responses.items():
        content = response.get("content", {})
        if status[0] in "45" and JSON in content:
            response["content"] = {PROBLEM: content[JSON]}
