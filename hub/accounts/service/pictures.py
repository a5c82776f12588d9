"""Pictures of users and organisations that are kept here: sent by people, so never kept as they came.

What is sent is decoded and written anew as a square: no description, place or hidden content of the sent file
survives, and nothing that a browser could take for something else. Of an animation the first picture stays. Each is
kept in two sizes under a new name that begins with its content's hash, so that what is at an address never changes; a
daily job removes those that nobody has any more.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from io import BytesIO
from secrets import token_hex
from typing import TYPE_CHECKING

from sqlalchemy import select, union_all

from hub.accounts.models import Organization, User
from hub.accounts.policy import Action, Actor, require
from hub.accounts.service.avatars import ADDRESS
from hub.accounts.service.organizations import get_organization
from hub.accounts.service.users import get_user
from hub.base.context import Context
from hub.base.errors import Invalid, NotFound, TooLarge
from hub.base.log import get_logger
from hub.base.offload import offload
from hub.db.uow import UnitOfWork, reading, unit_of_work
from hub.objects.store import STORE, ObjectInfo

if TYPE_CHECKING:
    from PIL.Image import Image as Picture

log = get_logger(__name__)

MAX_BYTES = 1024 * 1024  # contract of the pages, sections 11 and 13
MEDIA_TYPE = "image/webp"
_FORMATS = ("PNG", "JPEG", "WEBP", "GIF")
_SIDES = {"": 512, ".small": 96}  # in pixels, by the ending of the object's key
# A sent file of a few bytes may say that it is huge; decoded, each pixel takes four bytes.
_MAX_PIXELS = 20_000_000
_QUALITY = 85
_PREFIX = "pictures/"
_NAME = re.compile(r"[0-9a-f]{40}\Z")
# Longer than any is on its way between its bytes and its row, or shown by a page that was loaded before.
_GRACE = timedelta(hours=24)
_AT_ONCE = 500


def set_avatar(context: Context, *, actor: Actor, name: str, content: bytes) -> str:
    """Give a user a picture, cut to a square; its address on this hub.

    Raises NotFound, NotSignedIn, Denied; TooLarge; Invalid (``picture_unreadable``, ``picture_too_many_pixels``).
    """
    with reading(context) as work:
        _writable_user(work, actor, name)
    address = _keep(context, content, is_whole=False)
    with unit_of_work(context) as work:
        user = _writable_user(work, actor, name)
        user.avatar, user.updated_at = address, work.now()
    log.info("avatar_set", user_id=user.id, actor_id=actor.user_id)
    return address


def remove_avatar(work: UnitOfWork, *, actor: Actor, name: str) -> None:
    """Take a user's picture away; may be repeated. Raises NotFound, NotSignedIn, Denied."""
    user = _writable_user(work, actor, name)
    user.avatar, user.updated_at = "", work.now()
    log.info("avatar_removed", user_id=user.id, actor_id=actor.user_id)


def set_logo(context: Context, *, actor: Actor, name: str, content: bytes) -> str:
    """Give an organisation a picture, whole on a clear ground; its address on this hub. Raises as ``set_avatar``."""
    with reading(context) as work:
        _writable_organization(work, actor, name)
    address = _keep(context, content, is_whole=True)
    with unit_of_work(context) as work:
        organization = _writable_organization(work, actor, name)
        organization.logo, organization.updated_at = address, work.now()
    log.info("logo_set", organization_id=organization.id, actor_id=actor.user_id)
    return address


def remove_logo(work: UnitOfWork, *, actor: Actor, name: str) -> None:
    """Take an organisation's picture away; may be repeated. Raises NotFound, NotSignedIn, Denied."""
    organization = _writable_organization(work, actor, name)
    organization.logo, organization.updated_at = "", work.now()
    log.info("logo_removed", organization_id=organization.id, actor_id=actor.user_id)


def _writable_user(work: UnitOfWork, actor: Actor, name: str) -> User:
    user = get_user(work, name)
    require(work, actor, Action.ACCOUNT_WRITE, user, what="user")
    return user


def _writable_organization(work: UnitOfWork, actor: Actor, name: str) -> Organization:
    organization = get_organization(work, name)
    require(work, actor, Action.ORGANIZATION_ADMIN, organization, what="organization")
    return organization


def _keep(context: Context, content: bytes, *, is_whole: bool) -> str:
    if len(content) > MAX_BYTES:
        raise TooLarge(f"A picture has at most {MAX_BYTES} bytes.")
    squares = offload(make_squares, content, is_whole=is_whole)
    name = sha256(squares[""]).hexdigest()[:32] + token_hex(4)
    for ending, square in squares.items():
        context[STORE].put(f"{_PREFIX}{name}{ending}", [square])
    return f"{ADDRESS}{name}"


def make_squares(content: bytes, *, is_whole: bool) -> Mapping[str, bytes]:
    """The picture anew in each size, by the ending of its key: never larger than it is.

    is_whole: with a clear ground around it; else what is in its middle. Raises Invalid (``picture_unreadable``,
    ``picture_too_many_pixels``).
    """
    from PIL import Image, ImageOps  # deliberate: only who sends a picture pays for it

    try:
        with Image.open(BytesIO(content), formats=_FORMATS) as sent:
            width, height = sent.size
            if width * height > _MAX_PIXELS:
                raise Invalid(
                    f"A picture has at most {_MAX_PIXELS} pixels, and this one has {width} times {height}.",
                    code="picture_too_many_pixels",
                )
            # Where the format lets a part of the detail be left out, it is not decoded at all.
            sent.draft("RGB", (2 * _SIDES[""],) * 2)
            picture = ImageOps.exif_transpose(sent).convert("RGBA")
        return {ending: _square(picture, side, is_whole) for ending, side in _SIDES.items()}
    except Invalid:
        raise
    except Exception as error:  # hostile files make decoders fail in any way
        log.info("picture_unreadable", error=repr(error)[:200])
        raise Invalid(
            "This is no picture that can be read: PNG, JPEG, WebP or GIF.", code="picture_unreadable"
        ) from None


def _square(picture: Picture, most: int, is_whole: bool) -> bytes:
    from PIL import Image, ImageOps

    side = min(most, max(picture.size) if is_whole else min(picture.size))
    size = (side, side)
    fit = ImageOps.pad if is_whole else ImageOps.fit
    square = fit(picture, size, method=Image.Resampling.LANCZOS)
    # A picture of these pixels and nothing else: whatever the sent one carried besides stays behind.
    clean = Image.frombytes("RGBA", size, square.tobytes())
    stream = BytesIO()
    clean.save(stream, "WEBP", quality=_QUALITY)
    return stream.getvalue()


def find_picture(context: Context, name: str, *, is_small: bool) -> ObjectInfo:
    """Where the object store has a picture. Raises NotFound (``picture_not_found``)."""
    key = f"{_PREFIX}{name}{'.small' if is_small else ''}"
    info = context[STORE].find(key) if _NAME.match(name) else None
    if info is None:
        raise NotFound("There is no such picture.", code="picture_not_found")
    return info


def sweep_pictures(context: Context, *, now: datetime) -> int:
    """Remove the pictures that nobody has any more, or never had; how many objects that were."""
    store, count = context[STORE], 0
    old = (info.key for info in store.list(_PREFIX) if info.modified_at < now - _GRACE)
    while keys := [key for _, key in zip(range(_AT_ONCE), old, strict=False)]:
        addresses = {key: ADDRESS + key.removeprefix(_PREFIX).partition(".")[0] for key in keys}
        wanted = set(addresses.values())
        with reading(context) as work:
            known = union_all(
                select(User.avatar).where(User.avatar.in_(wanted)),
                select(Organization.logo).where(Organization.logo.in_(wanted)),
            )
            held = {*work.session.scalars(known)}
        gone = [key for key in keys if addresses[key] not in held]
        store.delete_many(gone)
        count += len(gone)
    return count
