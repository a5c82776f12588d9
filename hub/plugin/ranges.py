"""The seam: content by the byte. What lies in a plain file is sent by the kernel."""

from __future__ import annotations

from hub.http.ranges import Content, send_content, send_part

__all__ = ["Content", "send_content", "send_part"]
