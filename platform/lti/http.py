"""Requests to a platform: with a time limit, without redirects, and with its pages followed as it wrote them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import requests
from pylti1p3.service_connector import ServiceConnector, TServiceConnectorResponse
from requests.utils import parse_header_links

TIMEOUT_S = 10


class BoundedSession(requests.Session):
    """The library sets no time limit, and would follow a redirect with our token in its header."""

    def request(self, *args: Any, **kwargs: Any) -> requests.Response:
        """As `requests` does it; raises `TooManyRedirects` where the platform sends us elsewhere."""
        kwargs |= {"timeout": TIMEOUT_S, "allow_redirects": False}
        response = super().request(*args, **kwargs)
        if response.is_redirect:
            response.close()
            raise requests.TooManyRedirects(f"{response.url} sends us elsewhere", response=response)
        return response


class Connector(ServiceConnector):
    """The library's, which folds the case of the address of a next page."""

    def make_service_request(  # noqa: PLR0917 - the library's own signature
        self,
        scopes: Sequence[str],
        url: str,
        is_post: bool = False,  # noqa: FBT001, FBT002
        data: str | None = None,
        content_type: str = "application/json",
        accept: str = "application/json",
        case_insensitive_headers: bool = True,  # noqa: FBT001, FBT002
    ) -> TServiceConnectorResponse:
        """As the library does it, with `next_page_url` as the platform wrote it."""
        answer = super().make_service_request(
            scopes, url, is_post, data, content_type, accept, case_insensitive_headers=True
        )
        links = parse_header_links(answer["headers"].get("link", ""))
        answer["next_page_url"] = next((link["url"] for link in links if link.get("rel") == "next"), None)
        return answer
