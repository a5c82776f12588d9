"""Tables of licences. Their columns are a cache for lists: what is in force is read from the signed text alone."""

from __future__ import annotations

from datetime import datetime
from enum import StrEnum

from sqlalchemy import String, Text
from sqlalchemy.orm import Mapped, mapped_column

from hub.db.base import Model, RowId


class LicenseStatus(StrEnum):
    """Whether a stored licence is the hub's. ``inactive``: replaced or removed."""

    ACTIVE = "active"
    INACTIVE = "inactive"


class StoredLicense(Model):
    """A licence that was imported; the newest active one is in force."""

    __tablename__ = "licenses"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    license_id: Mapped[str] = mapped_column(String(36), index=True)  # of the payload; a renewal may keep it
    text: Mapped[str] = mapped_column(Text)
    key: Mapped[str] = mapped_column(String(255), default="")
    company: Mapped[str] = mapped_column(String(255))
    email: Mapped[str] = mapped_column(String(255), default="")
    product: Mapped[str] = mapped_column(String(255))
    edition: Mapped[str] = mapped_column(String(16))
    max_user: Mapped[int]
    issued_at: Mapped[datetime]
    start_time: Mapped[datetime]
    expire_time: Mapped[datetime | None]
    status: Mapped[LicenseStatus] = mapped_column(default=LicenseStatus.ACTIVE)
    remark: Mapped[str] = mapped_column(String(255), default="")
    actor_id: Mapped[int | None] = mapped_column(RowId)  # the user who imported it; None: the command line
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]


class StoredRevocations(Model):
    """A revocation list that was imported; the newest one counts."""

    __tablename__ = "license_revocations"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    text: Mapped[str] = mapped_column(Text)
    issued_at: Mapped[datetime]
    created_at: Mapped[datetime]


class Installation(Model):
    """This hub's identity, the latest moment it has seen, and what it has said about its licence's end. One row."""

    __tablename__ = "installations"

    id: Mapped[int] = mapped_column(RowId, primary_key=True)
    uuid: Mapped[str] = mapped_column(String(36))
    proof: Mapped[str] = mapped_column(String(64))  # of the uuid, by the hub's secret
    high_water_at: Mapped[datetime | None]
    high_water_signature: Mapped[str] = mapped_column(String(64), default="")
    noticed_license_id: Mapped[str] = mapped_column(String(36), default="")
    noticed_days: Mapped[int | None]  # the last of the marks (30, 14 ...) that was told of
    created_at: Mapped[datetime]
