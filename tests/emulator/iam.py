# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""IAM: a project-scoped token for a user name and a password."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from .auth import Tokens
from .codes import Answer, RefusalError
from .config import Config
from .rules import parse_json


def issue_token(body: bytes, content_type: str | None, tokens: Tokens, config: Config) -> Answer:
    """Answer ``POST /v3/auth/tokens``.

    The page does not show IAM's errors, so that a client has to go by their status; they come in the shape that
    this kind of API has, with no ``error_code`` of KooPhone's.
    """
    if content_type is None or content_type.partition(";")[0].strip().lower() != "application/json":
        return _error(HTTPStatus.BAD_REQUEST, "Content-Type is not application/json.")
    try:
        name, password, domain, project = _credentials(parse_json(body))
    except (RefusalError, TypeError, KeyError, ValueError):
        return _error(HTTPStatus.BAD_REQUEST, "The request body is invalid.")
    known = (name, password, domain) == (config.iam_username, config.iam_password, config.iam_domain)
    if not known or (config.iam_projects is not None and project not in config.iam_projects):
        return _error(HTTPStatus.UNAUTHORIZED, "The username or password is wrong.")
    token, expires = tokens.issue(config)
    return Answer(
        HTTPStatus.CREATED,
        {
            "token": {
                "expires_at": expires.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
                "methods": ["password"],
                "project": {"name": project},
                "user": {"name": name, "domain": {"name": domain}},
            }
        },
        {"X-Subject-Token": token},
    )


def _credentials(document: Any) -> tuple[str, str, str, str]:
    auth = document["auth"]
    identity = auth["identity"]
    user = identity["password"]["user"]
    texts = (user["name"], user["password"], user["domain"]["name"], auth["scope"]["project"]["name"])
    if identity["methods"] != ["password"] or not all(isinstance(text, str) and text for text in texts):
        raise ValueError("not the documented body")
    return texts


def _error(status: HTTPStatus, message: str) -> Answer:
    return Answer(status, {"error": {"code": status.value, "message": message, "title": status.phrase}})
