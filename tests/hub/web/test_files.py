"""Folders and files as pages show them: odd names, revisions in addresses, kinds of views, and what is not shown."""

import base64
import html
import json
import random
import re
import struct
from urllib.parse import quote

import pytest

from hub.accounts.policy import SYSTEM
from hub.repos.branches import create_branch
from hub.repos.files import FileEdit, commit_files
from hub.repos.lfs.service import receive_object
from hub.web import blobs, folders
from tests.support.lfs import oid_of, pointer_to

pytestmark = pytest.mark.any_database

HTML = {"Accept": "text/html"}
PART = {**HTML, "HX-Request": "true"}
ODD = [
    "with space & é.txt",
    "שלום עולם.txt",
    "🎉 party.md",
    'it\'s "quoted" <b>.txt',
    "100%.txt",
    "a#b?c.txt",
    "%2e%2F.txt",
]
PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
PLACE = "/models/ada/thing"


@pytest.fixture
def ada(make_user):
    return make_user("ada")


@pytest.fixture
def thing(ada, make_repository):
    return make_repository(ada, "thing")


@pytest.fixture
def write(context):
    """``write(repository, {"a.txt": b"…"}, branch="main")``: a commit; None takes a file away."""

    def commit(repository, files, *, message="More", **more):
        edits = [
            FileEdit(path, "delete") if content is None else FileEdit(path, content=content)
            for path, content in files.items()
        ]
        return commit_files(
            context, actor=SYSTEM, repository_id=repository.id, message=message, edits=edits, **more
        ).commit_id

    return commit


# Names and revisions.


def test_odd_names_are_shown_as_they_are_and_their_links_lead_to_them(see, thing, write):
    write(thing, {f"odd/{name}": f"content of {at}\n".encode() for at, name in enumerate(ODD)})
    page = see(f"{PLACE}/files/main/odd")
    rows = {html.unescape(path): row for path, row in re.findall(r'<tr data-path="([^"]+)"(.*?)</tr>', page, re.DOTALL)}
    assert sorted(rows) == sorted(f"odd/{name}" for name in ODD)
    assert "<b>.txt" not in page
    for at, name in enumerate(ODD):
        address = html.unescape(re.search(r'href="([^"]+)"', rows[f"odd/{name}"])[1])
        assert address == f"{PLACE}/blob/main/odd/{quote(name)}"
        shown = see(address)
        assert f"content of {at}" in re.sub("<[^>]+>", "", shown)
        for link in re.findall(r'href="([^"]+/(?:blame|commits|resolve|raw)/[^"]+)"', shown):
            see(html.unescape(link))
    facts = see(f"{PLACE}/files/main/odd?part=facts", PART)
    assert facts.count('id="change-') == len(ODD)


def test_a_revision_with_slashes_is_found_encoded_or_by_the_longest_match(
    client, see, context, ada, actor_of, thing, write
):
    write(thing, {"a/b.txt": b"on main\n"})
    create_branch(context, actor=actor_of(ada), repository_id=thing.id, name="feature/a", revision="main")
    write(thing, {"a/b.txt": b"on the branch\n"}, branch="feature/a")
    for revision in ("feature/a", "feature%2Fa", "feature%2fa", "refs%2Fheads%2Ffeature%2Fa"):
        assert "on the branch" in see(f"{PLACE}/blob/{revision}/a/b.txt")
        assert 'data-path="a/b.txt"' in see(f"{PLACE}/files/{revision}/a")
    for path, target in {
        "tree/feature%2Fa/a": "files/feature%2Fa/a",
        "tree/main": "files/main",
        "tree": "files",
        "files/main/a/b.txt": "blob/main/a/b.txt",
        "blob/main/a": "files/main/a",
    }.items():
        answer = client.get(f"{PLACE}/{path}", headers=HTML)
        assert (answer.status_code, answer.headers["Location"]) == (302, f"{PLACE}/{target}")
    for path in ("files/featur%2Fa", "blob/mian/a/b.txt", "files/main/nowhere", "blob/main/nowhere", "commits/nowhere"):
        page = see(f"{PLACE}/{path}", status=404)
        assert 'data-testid="nowhere.near"' in page
        assert 'data-state="error"' in page


def test_addresses_of_hugging_face_lead_to_the_page(client, thing, make_repository, ada, make_organization):
    answer = client.get("/ada/thing?x=1", headers=HTML)
    assert (answer.status_code, answer.headers["Location"]) == (302, "/models/ada/thing?x=1")
    for path in ("/nobody/thing", "/settings/thing", "/api/thing", "/admin/x"):
        assert client.get(path, headers=HTML).status_code == 404
    make_repository(ada, "tool", kind="mcpserver")
    answer = client.get("/mcp/servers/ada/tool/raw/main/a%2Fb%20c.txt?x=1", headers=HTML)
    assert answer.status_code == 302
    assert answer.headers["Location"].endswith("/ada/tool/raw/main/a%2Fb%20c.txt?x=1")


def test_what_is_private_is_as_if_it_were_not_there(client, see, sign, make_user, make_repository, ada, write):
    secret = make_repository(ada, "secret", private=True)
    commit_id = write(secret, {"a.txt": b"hidden words\n", "model.safetensors": b"x"})
    bob = sign(make_user("bob"))
    pages = ["files", "files/main", "tree/main", "blob/main/a.txt", "blame/main/a.txt", "commits", "commits/main/a.txt"]
    pages += [f"commit/{commit_id}", "compare", f"compare/main...{commit_id}", "branches", "tags", "raw/main/a.txt"]
    pages += ["resolve/main/a.txt", "nowhere"]
    parts = ["files/main?part=facts", "files/main?part=find&find=a", "files/main?part=counts", "branches?part=picker"]
    parts += [f"commit/{commit_id}?part=tree", f"commit/{commit_id}?part=file&file=a.txt", "blob/main/a.txt?part=lines"]
    for who in (HTML, bob):
        for path in pages:
            answer = client.get(f"/models/ada/secret/{path}", headers=who)
            # Clients of Hugging Face are asked to sign in.
            assert answer.status_code in ((401, 404) if path.startswith(("raw", "resolve")) else (404,)), path
            assert "hidden words" not in answer.text
        for path in parts:
            assert client.get(f"/models/ada/secret/{path}", headers={**who, "HX-Request": "true"}).status_code == 404
    for path in (*pages[:-1], *parts):
        assert client.get(f"/models/ada/secret/{path}", headers=sign(ada), buffered=True).status_code in (200, 302)


# Folders.


def test_a_large_folder_comes_in_pages_and_costs_few_queries(see, thing, write, context, count_queries, monkeypatch):
    write(thing, {"README.md": b"# About *all* <script>alert(1)</script>\n"})
    write(thing, {f"many/{number:05}.txt": b"%d\n" % (number % 7) for number in range(10_000)})
    see(f"{PLACE}/files/main/many")
    with count_queries() as queries:
        page = see(f"{PLACE}/files/main/many")
    assert len(queries) <= 6, queries
    assert page.count('data-testid="files.row"') == folders.ENTRIES_PER_PAGE
    seen = re.findall(r'<tr data-path="many/(\d+)', page)
    while more := re.search(r'hx-get="([^"]+part=rows[^"]*)"', page):
        page = see(html.unescape(more[1]), PART)
        seen += re.findall(r'<tr data-path="many/(\d+)', page)
    assert seen == [f"{number:05}" for number in range(10_000)]
    found = see(f"{PLACE}/files/main?part=find&find=many+0042", PART)
    assert found.count("<li>") == 11
    readme = see(f"{PLACE}/files/main")
    assert "<em>all</em>" in readme
    assert "alert(1)" not in readme
    assert 'data-testid="files.add"' in readme


def test_an_empty_repository_says_how_it_is_filled_to_those_who_may(see, sign, ada, make_repository):
    make_repository(ada, "empty")
    page = see("/models/ada/empty/files", sign(ada))
    # A new repository has its first files already, or none; either way there is something to do.
    assert 'data-testid="files.upload"' in page


# Files.


def notebook(*cells):
    return json.dumps({"nbformat": 4, "metadata": {}, "cells": list(cells)}).encode()


def test_each_kind_of_file_has_its_view(see, thing, write):
    head = json.dumps({"w": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]}}).encode()
    code = {
        "cell_type": "code",
        "source": ["print(1)\n"],
        "outputs": [
            {"output_type": "stream", "text": "out\u001b[31mred"},
            {"output_type": "display_data", "data": {"image/png": base64.b64encode(PIXEL).decode()}},
            {
                "output_type": "display_data",
                "data": {"image/png": '"><script>alert(2)</script>', "text/plain": "plain"},
            },
            {"output_type": "display_data", "data": {"image/svg+xml": "<svg onload=alert(3)>"}},
            {
                "output_type": "display_data",
                "data": {"text/html": "<b onclick='alert(4)'>x</b><script>alert(5)</script>"},
            },
        ],
    }
    write(
        thing,
        {
            "nb.ipynb": notebook({"cell_type": "markdown", "source": "# T <script>alert(1)</script>"}, code),
            "broken.ipynb": b"{",
            "a.md": b"# Title\n\n<script>alert(1)</script>\n",
            "a.csv": b"name,age\nada,36\n",
            "pic.png": PIXEL,
            "pic.svg": b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
            "w.safetensors": struct.pack("<Q", len(head)) + head + b"\0" * 16,
            "blob.bin2": b"\0\1\2<script>" * 40,
            "page.html": b"<script>alert(1)</script>",
            "empty.txt": b"",
        },
    )
    shown = {
        name: see(f"{PLACE}/blob/main/{name}") for name in ("nb.ipynb", "a.md", "pic.svg", "page.html", "blob.bin2")
    }
    assert all("<script>alert" not in page for page in shown.values())
    assert "data:image/png;base64," in shown["nb.ipynb"]
    assert "outred" in shown["nb.ipynb"]
    assert "onclick" not in shown["nb.ipynb"]
    assert "svg onload" not in shown["nb.ipynb"]
    assert "<h1" in shown["a.md"]
    assert f'<img src="{PLACE}/resolve/' in shown["pic.svg"]
    assert "alert(1)" in html.unescape(re.sub("<[^>]+>", "", see(f"{PLACE}/blob/main/a.md?view=code")))
    assert 'data-testid="blob.binary"' in shown["blob.bin2"]
    assert "no JSON" in see(f"{PLACE}/blob/main/broken.ipynb")
    assert 'data-testid="blob.head"' in see(f"{PLACE}/blob/main/w.safetensors")
    assert "2 × 2" in see(f"{PLACE}/blob/main/w.safetensors?part=head", PART)
    assert "Nothing of this name" in see(f"{PLACE}/blob/main/w.safetensors?part=head&search=x", PART)
    assert "ada" in see(f"{PLACE}/blob/main/a.csv?part=table", PART)
    assert "The file is empty" in see(f"{PLACE}/blob/main/empty.txt")
    see(f"{PLACE}/blob/main/a.md?line=x", status=400)
    see(f"{PLACE}/blob/main/a.md?line=99999999999999999", status=200)


def test_bytes_are_shown_by_browsers_only_where_nothing_can_run(client, thing, write):
    write(thing, {"a.html": b"<script>1</script>", "a.svg": b"<svg/>", "a.png": PIXEL, "a.pdf": b"%PDF-", "a.js": b"1"})
    for page, types in {
        "resolve": [
            "application/octet-stream",
            "image/svg+xml",
            "image/png",
            "application/pdf",
            "application/octet-stream",
        ],
        "raw": ["text/plain"] * 5,
    }.items():
        for name, media_type in zip(("a.html", "a.svg", "a.png", "a.pdf", "a.js"), types, strict=True):
            answer = client.get(f"{PLACE}/{page}/main/{name}", buffered=True)
            policy = answer.headers["Content-Security-Policy"]
            assert (answer.mimetype, answer.headers["X-Content-Type-Options"]) == (media_type, "nosniff")
            assert "default-src 'none'" in policy
            assert "script-src" not in policy
            assert "sandbox" in policy or (page, name) == ("resolve", "a.pdf")


def test_content_that_was_never_uploaded_is_told_of(see, thing, context, write):
    write(thing, {"w.safetensors": b"x" * 20_000})
    page = see(f"{PLACE}/blob/main/w.safetensors")
    assert 'data-testid="blob.lfs"' in page
    with pytest.MonkeyPatch.context() as patch:
        from hub.base.errors import NotFound
        from hub.repos import contents

        def gone(*_args, **_more):
            raise NotFound("There is no such content.", code="lfs_object_not_found")

        patch.setattr(contents, "get_content", gone)
        assert 'data-testid="blob.missing"' in see(f"{PLACE}/blob/main/w.safetensors")


def test_large_texts_are_read_page_by_page_without_a_gap(see, thing, write, monkeypatch):
    monkeypatch.setattr(blobs, "MAX_COLOURED_BYTES", 1000)
    monkeypatch.setattr(blobs, "LINES_PER_PAGE", 100)
    monkeypatch.setattr(blobs, "_PIECE_BYTES", 2000)
    dice = random.Random(7)
    lines = ["x" * dice.choice([0, 1, 30, 30, 30, 5000]) + f" {number}" for number in range(700)]
    write(thing, {"big.log": "\n".join(lines).encode()})
    page = see(f"{PLACE}/blob/main/big.log")
    rows = []
    while True:
        rows += re.findall(r'<td class="n" id="L(\d+)"[^>]*>\d+</td><td class="w">(.*?)</td>', page)
        more = re.search(r'hx-get="([^"]+part=lines[^"]*)"', page)
        if not more:
            break
        page = see(html.unescape(more[1]), PART)
    whole: dict[int, str] = {}
    for number, words in rows:
        whole[int(number)] = whole.get(int(number), "") + html.unescape(words)
    assert [whole[number] for number in sorted(whole)] == lines
    assert 'id="L650"' in see(f"{PLACE}/blob/main/big.log?line=650")
    found = see(f"{PLACE}/blob/main/big.log?part=found&find=X+649", PART)
    assert "#L650" in found
    monkeypatch.setattr(blobs, "MAX_PAGED_BYTES", 5000)
    ends = see(f"{PLACE}/blob/main/big.log")
    assert "its beginning and its end are shown" in ends
    assert "699" in ends


def test_the_side_box_of_a_large_file_says_who_brought_it_and_where_it_is_besides(
    see, context, ada, actor_of, thing, write
):
    content = b"\0large" * 1000
    oid = oid_of(content)
    receive_object(
        context,
        actor=actor_of(ada),
        repository_id=thing.id,
        oid=oid,
        size_bytes=len(content),
        chunks=[content],
    )
    pointer = pointer_to(content).encode()
    write(thing, {"a.bin": pointer, "copies/b.bin": pointer, "other.txt": b"x\n"})
    create_branch(context, actor=actor_of(ada), repository_id=thing.id, name="kept", revision="main")
    write(thing, {"a.bin": b"now a text\n"})
    part = see(f"{PLACE}/blob/kept/a.bin", part="uses")
    assert "/profile/ada" in part
    assert re.findall(r"/blob/([^\"?]+)\"", part) == ["kept/copies/b.bin", "kept/a.bin"]
    see(f"{PLACE}/blob/main/other.txt", part="uses", status=404)
