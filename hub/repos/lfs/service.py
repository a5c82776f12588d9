"""What the other rooms call: holdings, contents, batch, tokens for SSH, removal of garbage. Locks are in ``locks``."""

from __future__ import annotations

from hub.repos.lfs.batch import BatchResult, LinkBuilder, ObjectAnswer, ObjectRequest, Operation, TransferAction, batch
from hub.repos.lfs.contents import (
    LFSContent,
    complete_upload,
    get_content,
    receive_object,
    receive_part,
    verify_object,
)
from hub.repos.lfs.garbage import GarbageReport, collect_garbage
from hub.repos.lfs.holdings import copy_links, link_objects, missing_objects
from hub.repos.lfs.tickets import SSHAccess, issue_ssh_token

__all__ = [
    "BatchResult",
    "GarbageReport",
    "LFSContent",
    "LinkBuilder",
    "ObjectAnswer",
    "ObjectRequest",
    "Operation",
    "SSHAccess",
    "TransferAction",
    "batch",
    "collect_garbage",
    "complete_upload",
    "copy_links",
    "get_content",
    "issue_ssh_token",
    "link_objects",
    "missing_objects",
    "receive_object",
    "receive_part",
    "verify_object",
]
