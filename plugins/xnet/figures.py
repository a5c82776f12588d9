"""Figures of what is kept in chunks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sqlalchemy import ColumnElement, func, select

from hub.plugin import Context, Metric, Sample
from hub.plugin.db import reading
from plugins.xnet.models import File, Xorb


def list_figures() -> tuple[Metric, ...]:
    """The metrics; what they count is asked for each time."""
    return (
        Metric("hub_xnet_stored_bytes", "Bytes of all xorbs, as they are stored.", _count_stored),
        Metric("hub_xnet_raw_bytes", "Bytes of all xorbs, uncompressed.", _count_raw),
        Metric("hub_xnet_files", "Contents that are kept in chunks.", _count_files),
        Metric("hub_xnet_file_bytes", "Bytes of the contents that are kept in chunks.", _count_file_bytes),
    )


def _count_stored(context: Context) -> Iterable[Sample]:
    return _ask(context, func.coalesce(func.sum(Xorb.stored_bytes), 0))


def _count_raw(context: Context) -> Iterable[Sample]:
    return _ask(context, func.coalesce(func.sum(Xorb.raw_bytes), 0))


def _count_files(context: Context) -> Iterable[Sample]:
    return _ask(context, func.count(File.hash))


def _count_file_bytes(context: Context) -> Iterable[Sample]:
    return _ask(context, func.coalesce(func.sum(File.size_bytes), 0))


def _ask(context: Context, figure: ColumnElement[Any]) -> Iterable[Sample]:
    with reading(context) as work:
        return (Sample(float(work.session.scalar(select(figure)) or 0), {}),)
