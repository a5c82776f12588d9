"""Labels of the hub's own are read in one's language."""

from __future__ import annotations

import pytest

from hub.web.label_titles import label_title

pytestmark = pytest.mark.any_database


def test_labels_have_names_in_the_readers_language(client):
    known = ("task", "text-generation", "Text generation")
    with client.application.test_request_context(headers={"Accept-Language": "zh-CN"}):
        assert label_title(*known) == "文本生成"
        assert label_title("language", "fr", "French") == "法语"
        assert label_title("task", "ours", "Issues") == "Issues", "somebody's own label is no text of the hub"
    with client.application.test_request_context(headers={"Accept-Language": "en"}):
        assert label_title(*known) == "Text generation"
        assert label_title("framework", "gguf") == "gguf"
