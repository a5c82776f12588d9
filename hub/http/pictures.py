"""Addresses of pictures of users and organisations, as answers tell them."""

from __future__ import annotations

from hub.http.origin import hub_url


def picture_url(address: str) -> str:
    """The whole address of a picture that this hub keeps; others, and none, as they are."""
    return f"{hub_url()}{address}" if address.startswith("/") else address
