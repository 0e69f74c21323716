# Copyright (c) 2026, the koophone.fleet contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

# Private to this collection: no promise of stability to anybody outside it.

"""Signing with an access key and secret key, by the vendor's own signer: `huaweicloudsdkcore`, imported late."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from ansible_collections.koophone.fleet.plugins.module_utils._auth import Credentials, CredentialsError

_NOTHING_GIVEN = (
    "no credentials: give auth_token, or username, password, domain_name and project_name, or access_key and secret_key"
    " (each also as KOOPHONE_AUTH_TOKEN and so on, where the module runs)"
)


# The SDK wants new temporary keys 40 minutes before the old ones end, at every request; nobody is asked more often than
# this as long as those are good. In seconds.
_ASK_AGAIN = 60.0
_MARGIN = 60.0


class KeyAuthenticator:
    """Signs each request (`SDK-HMAC-SHA256`). Temporary keys come with a security token."""

    def __init__(self, credentials: Any) -> None:
        """`credentials` are the SDK's; those that it fetched from somewhere are renewed by it in time."""
        self._credentials = credentials
        self._temporary = credentials.sts_accessor is not None
        self._lock = threading.Lock()
        self._asked_at = -_ASK_AGAIN

    @classmethod
    def of(cls, given: Credentials) -> KeyAuthenticator:
        """With the keys given. Raises `CredentialsError` where the SDK is missing."""
        sdk = _import_sdk("signing with an access key")
        credentials = sdk.credentials.BasicCredentials(given.access_key, given.secret_key)
        if given.security_token:
            credentials.with_security_token(given.security_token)
        return cls(credentials)

    @classmethod
    def of_chain(cls) -> KeyAuthenticator:
        """With what the vendor's provider chain finds: environment, profile file, metadata service."""
        try:
            sdk = _import_sdk("the vendor's provider chain")
        except CredentialsError as error:
            raise CredentialsError(f"{_NOTHING_GIVEN}. Nor can others be looked for: {error}") from error
        chain = sdk.provider.CredentialProviderChain.get_basic_credential_provider_chain()
        try:
            credentials = chain.get_credentials()
        except Exception as error:  # The SDK lets through whatever its providers raise.
            raise CredentialsError(
                f"{_NOTHING_GIVEN}. The vendor's provider chain found none either: neither HUAWEICLOUD_SDK_AK and"
                " HUAWEICLOUD_SDK_SK, nor a profile file, nor a metadata service"
            ) from error
        return cls(credentials)

    def prepare(self) -> None:
        with self._lock:
            now = time.monotonic()
            if not self._temporary or (self._good() and now < self._asked_at + _ASK_AGAIN):
                return
            self._asked_at = now
            try:
                self._credentials.process_sts(_http_client())
            except Exception as error:
                if self._good():
                    return
                raise CredentialsError(f"temporary keys cannot be renewed: {type(error).__name__}: {error}") from error

    def _good(self) -> bool:
        """Whether the temporary keys at hand serve for a while yet, on the SDK's own clock."""
        from huaweicloudsdkcore.utils import time_utils

        ends_at: float = getattr(self._credentials, "_expire_at", None) or 0.0
        return bool(ends_at > time_utils.get_timestamp_utc() + _MARGIN)

    def headers(self, method: str, url: str, headers: Mapping[str, str], body: bytes) -> dict[str, str]:
        from huaweicloudsdkcore.sdk_request import SdkRequest
        from huaweicloudsdkcore.signer.signer import Signer

        parts = urlsplit(url)
        added: dict[str, str] = {}
        with self._lock:
            keys = self._credentials
            if keys.security_token:
                added["X-Security-Token"] = keys.security_token
            signer = Signer(keys)
        request = SdkRequest(
            method=method,
            schema=parts.scheme,
            host=parts.netloc,
            resource_path=parts.path,
            query_params=parse_qsl(parts.query, keep_blank_values=True),
            header_params={**headers, **added},
            body=body,
        )
        signed = signer.sign(request).header_params
        return {name: value for name, value in signed.items() if name not in headers}

    def expired(self, headers: Mapping[str, str]) -> bool:
        return False

    @property
    def secrets(self) -> tuple[str, ...]:
        keys = self._credentials
        return tuple(secret for secret in (keys.sk, keys.security_token, keys.ak) if secret)


class _Sdk:
    """The modules of the SDK that are needed before the first request."""

    def __init__(self) -> None:
        from huaweicloudsdkcore.auth import credentials, provider

        self.credentials: Any = credentials
        self.provider: Any = provider


def _import_sdk(purpose: str) -> _Sdk:
    try:
        return _Sdk()
    except ImportError as error:
        raise CredentialsError(
            f"{purpose} needs the Python library huaweicloudsdkcore where the module runs ({sys.executable}):"
            f" pip install huaweicloudsdkcore ({error})"
        ) from error


def _http_client() -> Any:
    """What the SDK fetches temporary keys with."""
    from huaweicloudsdkcore.exceptions.exception_handler import DefaultExceptionHandler
    from huaweicloudsdkcore.http.http_client import HttpClient
    from huaweicloudsdkcore.http.http_config import HttpConfig
    from huaweicloudsdkcore.http.http_handler import HttpHandler

    config = HttpConfig.get_default_config()
    return HttpClient(config, HttpHandler(), DefaultExceptionHandler(), logging.getLogger(__name__))
