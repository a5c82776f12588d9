"""Languages: who gets which, and that nothing is left untranslated."""

from __future__ import annotations

import importlib.util
import json
import re
from itertools import product
from pathlib import Path

import pytest

import hub
from hub.web.i18n import LANGUAGES

pytestmark = pytest.mark.any_database

ROOT = Path(hub.__file__).parent.parent
HTML = {"Accept": "text/html"}
PLACES = re.compile(r"%\(\w+\)s|\{\w+\}")


@pytest.fixture(scope="module")
def translations():
    spec = importlib.util.spec_from_file_location("translations", ROOT / "deploy" / "translations.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_text_is_translated(translations):
    assert set(LANGUAGES) == {"en", *translations.LANGUAGES}
    for domain, texts in {"messages": translations.collect_texts(), "services": translations.collect_said()}.items():
        for language in translations.LANGUAGES:
            assert [message.id for message in translations.missing(language, texts, domain)] == []


def test_translations_have_the_places_of_their_texts(translations):
    for language, domain in product(translations.LANGUAGES, ("messages", "services")):
        for message in translations.read_catalogue(language, domain):
            if not message.id:
                continue
            said = message.id if isinstance(message.id, str) else message.id[-1]
            for string in [message.string] if isinstance(message.string, str) else message.string:
                assert set(PLACES.findall(string)) <= set(PLACES.findall(said)), said


def test_every_text_of_a_script_reaches_it(client, translations):
    page = client.get("/", headers=HTML).text
    [sent] = re.findall(r'<script type="application/json" id="texts">(.*?)</script>', page, re.DOTALL)
    assert translations.script_texts() - set(json.loads(sent)) == set()


def test_the_language_is_the_chosen_one_or_the_browsers(client):
    def language_of(**headers):
        return re.search(r'<html lang="(\w+)"', client.get("/", headers=HTML | headers).text)[1]

    assert language_of() == "en"
    assert language_of(**{"Accept-Language": "zh-CN,zh;q=0.9,en;q=0.5"}) == "zh"
    assert language_of(**{"Accept-Language": "fr,de;q=0.5"}) == "en"
    assert client.post("/-/choices", data={"language": "zh", "back": "/models"}).headers["Location"] == "/models"
    assert language_of() == "zh"
    assert client.post("/-/choices", data={"language": "xx"}).status_code == 400
    assert client.post("/-/choices", data={"theme": "dark", "back": "//evil.example"}).headers["Location"] == "/"
