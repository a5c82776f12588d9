"""Annotated tags: objects of their own, with a tagger and a message."""

from __future__ import annotations

from pathlib import Path

import pygit2

from hub.base.errors import Invalid
from hub.git.reader import open_repository
from hub.git.types import Signature
from hub.git.write import MAX_MESSAGE_BYTES, clean_signature, despite_upkeep


def build_tag(path: Path, name: str, *, commit_id: str, tagger: Signature, message: str) -> str:
    """Write the object of an annotated tag on a commit; its id, on the disk and synced. No ref moves.

    name: the tag's short name. May be offloaded. Raises Invalid (code ``message_invalid``).
    """
    text = message.replace("\r\n", "\n").strip()
    if not text or "\0" in text or len(text.encode(errors="replace")) > MAX_MESSAGE_BYTES:
        raise Invalid("The message of a tag has at most 64 KiB and no NUL.", code="message_invalid")
    who = clean_signature(tagger)
    sign, minutes = "-" if who.offset < 0 else "+", abs(who.offset)
    lines = [
        f"object {commit_id}",
        "type commit",
        f"tag {name}",
        f"tagger {who.name} <{who.email}> {who.time} {sign}{minutes // 60:02}{minutes % 60:02}",
        "",
        text,
    ]
    content = "".join(f"{line}\n" for line in lines).encode(errors="replace")

    def write() -> str:
        with open_repository(path) as repository:
            return str(repository.write(pygit2.enums.ObjectType.TAG, content))

    return despite_upkeep(write)
