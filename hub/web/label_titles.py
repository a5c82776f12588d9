"""What the hub's own labels are called in the reader's language. Labels of others stand as they were written."""

from __future__ import annotations

from functools import lru_cache

from babel import Locale
from flask_babel import gettext

from hub.web.i18n import current_language

# What collects the texts to translate looks for calls of this name.
mark_text = str

_TASKS = frozenset(
    (
        mark_text("Any to any"),
        mark_text("Audio classification"),
        mark_text("Audio text to text"),
        mark_text("Audio to audio"),
        mark_text("Automatic speech recognition"),
        mark_text("Depth estimation"),
        mark_text("Document question answering"),
        mark_text("Feature extraction"),
        mark_text("Fill mask"),
        mark_text("Graph ml"),
        mark_text("Image classification"),
        mark_text("Image feature extraction"),
        mark_text("Image segmentation"),
        mark_text("Image text to text"),
        mark_text("Image to 3d"),
        mark_text("Image to image"),
        mark_text("Image to text"),
        mark_text("Image to video"),
        mark_text("Keypoint detection"),
        mark_text("Mask generation"),
        mark_text("Multiple choice"),
        mark_text("Object detection"),
        mark_text("Other"),
        mark_text("Question answering"),
        mark_text("Reinforcement learning"),
        mark_text("Robotics"),
        mark_text("Sentence similarity"),
        mark_text("Summarization"),
        mark_text("Table question answering"),
        mark_text("Table to text"),
        mark_text("Tabular classification"),
        mark_text("Tabular regression"),
        mark_text("Tabular to text"),
        mark_text("Text classification"),
        mark_text("Text generation"),
        mark_text("Text ranking"),
        mark_text("Text retrieval"),
        mark_text("Text to 3d"),
        mark_text("Text to audio"),
        mark_text("Text to image"),
        mark_text("Text to speech"),
        mark_text("Text to video"),
        mark_text("Time series forecasting"),
        mark_text("Token classification"),
        mark_text("Translation"),
        mark_text("Unconditional image generation"),
        mark_text("Video classification"),
        mark_text("Video text to text"),
        mark_text("Video to video"),
        mark_text("Visual document retrieval"),
        mark_text("Visual question answering"),
        mark_text("Voice activity detection"),
        mark_text("Zero shot classification"),
        mark_text("Zero shot image classification"),
        mark_text("Zero shot object detection"),
    )
)
_INDUSTRIES = frozenset(
    (
        mark_text("Agriculture"),
        mark_text("Automotive"),
        mark_text("Construction"),
        mark_text("Consulting"),
        mark_text("Education"),
        mark_text("Energy"),
        mark_text("Entertainment"),
        mark_text("Finance"),
        mark_text("Gaming"),
        mark_text("Government"),
        mark_text("Healthcare"),
        mark_text("Hospitality"),
        mark_text("Insurance"),
        mark_text("Legal"),
        mark_text("Logistics"),
        mark_text("Manufacturing"),
        mark_text("Media"),
        mark_text("Pharmaceuticals"),
        mark_text("Real estate"),
        mark_text("Research"),
        mark_text("Retail"),
        mark_text("Security"),
        mark_text("Telecommunications"),
        mark_text("Tourism"),
    )
)
_KNOWN = {"task": _TASKS, "industry": _INDUSTRIES}


def label_title(category: str, name: str, title: str = "") -> str:
    """A label as people read it. title: what the hub has of it, in English; "" is its name."""
    title = title or name
    language = current_language()
    if language == "en":
        return title
    if category == "language":
        return _language_name(name, language) or title
    return gettext(title) if title in _KNOWN.get(category, ()) else title


@lru_cache(maxsize=1000)
def _language_name(code: str, language: str) -> str:
    return str(Locale.parse(language).languages.get(code.lower().replace("-", "_"), ""))
