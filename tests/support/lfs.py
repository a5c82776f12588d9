"""Git LFS by hand: what a client that keeps to the letter, or breaks it, sends."""

from __future__ import annotations

import hashlib
from typing import Any

from tests.support.http import Answer, HTTPClient

MEDIA_TYPE = "application/vnd.git-lfs+json"


class LFSClient:
    """Requests to one repository's LFS endpoint (``http://.../models/ada/thing.git``) with one credential."""

    def __init__(self, api: HTTPClient, path: str) -> None:
        self.api = api
        self.root = f"/{path}.git/info/lfs"

    def request(self, method: str, path: str, json_body: Any = None, **options: Any) -> Answer:
        """One request below the LFS endpoint."""
        headers = {"Accept": MEDIA_TYPE, "Content-Type": MEDIA_TYPE}
        return self.api.request(method, self.root + path, json_body=json_body, headers=headers, **options)

    def batch(self, operation: str, objects: list[dict[str, Any]], **fields: Any) -> Answer:
        """The batch request."""
        return self.request("POST", "/objects/batch", {"operation": operation, "objects": objects, **fields})

    def action(self, operation: str, content: bytes) -> dict[str, Any]:
        """The batch's answer for one object: its ``actions``, ``error`` or neither."""
        answer = self.batch(operation, [{"oid": oid_of(content), "size": len(content)}], transfers=["basic"])
        assert answer.status == 200, answer.body
        [found] = answer.json["objects"]
        return found

    def send(self, action: dict[str, Any], body: Any, **headers: str) -> Answer:
        """Carry out an upload action with this body."""
        return self.api.request("PUT", action["href"], body=body, headers={**action.get("header", {}), **headers})

    def fetch(self, action: dict[str, Any], **headers: str) -> Answer:
        """Carry out a download action."""
        return self.api.request("GET", action["href"], headers={**action.get("header", {}), **headers})

    def upload(self, content: bytes) -> str:
        """Upload one object from batch to verify and return its id."""
        found = self.action("upload", content)
        if "actions" in found:
            sent = self.send(found["actions"]["upload"], content)
            assert sent.status in (200, 201), sent.body
            verify = found["actions"].get("verify")
            if verify:
                done = self.verify(content, verify)
                assert done.status == 200, done.body
        return oid_of(content)

    def verify(self, content: bytes, action: dict[str, Any] | None = None) -> Answer:
        """Ask the server whether it has the object whole."""
        body = {"oid": oid_of(content), "size": len(content)}
        if action is None:
            return self.request("POST", "/verify", body)
        headers = {"Content-Type": MEDIA_TYPE, **action.get("header", {})}
        return self.api.request("POST", action["href"], json_body=body, headers=headers)


def oid_of(content: bytes) -> str:
    """The object id of a content: its SHA-256 in hex."""
    return hashlib.sha256(content).hexdigest()


def pointer_to(content: bytes) -> str:
    """The pointer file of a content."""
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid_of(content)}\nsize {len(content)}\n"
