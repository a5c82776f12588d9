"""Reconstructions and fetches over HTTP, as clients ask for them."""

import re
from urllib.parse import urlsplit

import pytest

from hub.accounts.policy import ANONYMOUS, SYSTEM
from hub.base.errors import HubError
from hub.db.uow import reading
from hub.plugin.lfs import TicketRequest
from hub.repos.downloads import DOWNLOADS, list_days, list_top_files
from hub.repos.models import Repository
from plugins.xnet import downloads
from plugins.xnet.formats.hashes import hash_to_text
from plugins.xnet.formats.xorbs import decode_chunks
from plugins.xnet.source import XnetSource
from tests.support.xet import LZ4, open_service, start_xnet, store_file, store_xorb

CHUNKS = [bytes([number]) * (1000 + number) for number in range(6)]


@pytest.fixture
def xnet(context):
    return start_xnet(context)


@pytest.fixture
def client(xnet):
    return open_service(xnet)


@pytest.fixture
def repository(xnet, make_user, make_repository):
    return make_repository(make_user("ada"))


@pytest.fixture
def headers(xnet, repository):
    request = TicketRequest(ANONYMOUS, repository, "main", False, "http://localhost")
    return {"Authorization": f"Bearer {XnetSource().issue_ticket(xnet, request).token}"}


@pytest.fixture
def xorb(xnet):
    return store_xorb(xnet, CHUNKS, LZ4)


@pytest.fixture
def file(xnet, repository, xorb):
    return store_file(xnet, repository.id, [(xorb, 0, 2), (xorb, 4, 5), (xorb, 1, 3)])


def fetch(client, entry):
    """What a client does with an address of the first form; no ticket goes with it."""
    assert entry["url"].startswith("http://localhost/xet/v1/fetch/")
    parts = urlsplit(entry["url"])
    span = entry["url_range"]
    answer = client.get(f"{parts.path}?{parts.query}", headers={"Range": f"bytes={span['start']}-{span['end']}"})
    assert answer.status_code == 206
    assert len(answer.data) == span["end"] + 1 - span["start"]
    return answer.data


def put_together(client, body):
    """What a client makes of an answer of the first form."""
    fetched = {
        (name, entry["range"]["start"]): (entry["range"]["end"], list(decode_chunks(fetch(client, entry))))
        for name, entries in body["fetch_info"].items()
        for entry in entries
    }
    pieces = []
    for term in body["terms"]:
        start, end = term["range"]["start"], term["range"]["end"]
        [piece] = [
            chunks[start - first : end - first]
            for (name, first), (after, chunks) in fetched.items()
            if name == term["hash"] and first <= start and end <= after
        ]
        assert sum(len(chunk) for chunk in piece) == term["unpacked_length"]
        pieces += piece
    return b"".join(pieces)[body["offset_into_first_range"] :]


@pytest.mark.any_database
def test_a_client_gets_the_file_and_any_range_of_it(client, headers, file):
    address = f"/xet/v1/reconstructions/{file.hash}"
    assert put_together(client, client.get(address, headers=headers).json) == file.content
    size = len(file.content)
    for asked, expected in (
        ("bytes=0-268435455", file.content),
        (f"bytes=1500-{size - 1500}", file.content[1500 : size - 1499]),
        (f"bytes={size - 1}-{size + 99}", file.content[-1:]),
        ("bytes=2100-", file.content[2100:]),
    ):
        body = client.get(address, headers={**headers, "Range": asked}).json
        assert put_together(client, body)[: len(expected)] == expected
    for asked in (f"bytes={size}-{size + 1}", f"bytes={size}-"):
        assert client.get(address, headers={**headers, "Range": asked}).status_code == 416


@pytest.mark.any_database
def test_the_second_form_leads_to_several_ranges_at_once(client, headers, file, xorb):
    body = client.get(f"/xet/v2/reconstructions/{file.hash}", headers=headers).json
    [entry] = body["xorbs"][hash_to_text(xorb)]
    assert [part["chunks"] for part in entry["ranges"]] == [{"start": 0, "end": 3}, {"start": 4, "end": 5}]
    spans = [(part["bytes"]["start"], part["bytes"]["end"]) for part in entry["ranges"]]
    parts = urlsplit(entry["url"])
    asked = "bytes=" + ",".join(f"{first}-{last}" for first, last in spans)
    answer = client.get(f"{parts.path}?{parts.query}", headers={"Range": asked})
    assert answer.status_code == 206
    assert int(answer.headers["Content-Length"]) == len(answer.data)
    boundary = re.fullmatch("multipart/byteranges; boundary=(.+)", answer.headers["Content-Type"])[1].encode()
    before, *found, end = answer.data.split(b"--" + boundary)
    assert (before.strip(), end) == (b"", b"--\r\n")
    for part, (first, last), chunks in zip(found, spans, (CHUNKS[0:3], CHUNKS[4:5]), strict=True):
        head, _, data = part.partition(b"\r\n\r\n")
        assert f"Content-Range: bytes {first}-{last}/".encode() in head
        assert list(decode_chunks(data[:-2])) == chunks
    # One of them alone, too.
    first, last = spans[1]
    alone = client.get(f"{parts.path}?{parts.query}", headers={"Range": f"bytes={first}-{last}"})
    assert list(decode_chunks(alone.data)) == CHUNKS[4:5]


@pytest.mark.any_database
def test_several_files_are_asked_for_at_once(xnet, client, headers, repository, xorb, file):
    other = store_file(xnet, repository.id, [(xorb, 3, 6)])
    query = f"file_id={file.hash}&file_id={other.hash}&file_id={'ab' * 32}"
    body = client.get(f"/xet/v1/reconstructions?{query}", headers=headers).json
    assert set(body["files"]) == {file.hash, other.hash}
    [entry] = body["fetch_info"][hash_to_text(xorb)]
    assert entry["range"] == {"start": 0, "end": 6}
    for odd in ("", "file_id=xyz", "&".join(f"file_id={number:064x}" for number in range(101))):
        assert client.get(f"/xet/v1/reconstructions?{odd}", headers=headers).status_code == 400


@pytest.mark.any_database
def test_of_files_in_many_pieces_only_one_is_asked_for_at_once(
    xnet, client, headers, repository, xorb, file, monkeypatch
):
    other = store_file(xnet, repository.id, [(xorb, 3, 6)])
    monkeypatch.setattr(downloads, "_MAX_TERMS_BYTES", 2 * 44)
    answer = client.get(f"/xet/v1/reconstructions?file_id={file.hash}&file_id={other.hash}", headers=headers)
    assert (answer.status_code, answer.json["code"]) == (400, "too_many_pieces")
    assert client.get(f"/xet/v1/reconstructions?file_id={file.hash}", headers=headers).status_code == 200


@pytest.mark.any_database
def test_the_empty_file_is_everybodys(client, headers):
    for version in ("v1", "v2"):
        address = f"/xet/{version}/reconstructions/{'0' * 64}"
        answer = client.get(address, headers={**headers, "Range": "bytes=0-9"})
        assert (answer.status_code, answer.json["terms"]) == (200, [])
        assert client.get(address, headers={**headers, "Range": "bytes=1-9"}).status_code == 416
    assert client.get("/xet/v1/reconstructions/" + "A" * 64, headers=headers).status_code == 400


@pytest.mark.any_database
def test_a_file_is_a_download_from_its_first_byte_on(xnet, client, headers, repository, file):
    address = f"/xet/v2/reconstructions/{file.hash}"
    for asked in ("bytes=0-99", "bytes=100-199", "bytes=200-"):
        client.get(address, headers={**headers, "Range": asked})
    client.get("/xet/v1/reconstructions", query_string={"file_id": [file.hash, "0" * 64]}, headers=headers)
    for refused in ("ab" * 32, "0" * 64):
        client.get(f"/xet/v2/reconstructions/{refused}", headers=headers)
    # A job of the hub's own reads for nobody.
    request = TicketRequest(SYSTEM, repository, "main", False, "http://localhost")
    own = {"Authorization": f"Bearer {XnetSource().issue_ticket(xnet, request).token}"}
    assert client.get(address, headers=own).status_code == 200
    xnet[DOWNLOADS].write()
    with reading(xnet) as work:
        [today] = list_days(work, repository_ids=[repository.id], days=1)[repository.id]
        # No commit names it: it is counted, and by no name.
        assert list_top_files(work, repository_id=repository.id, days=1, limit=9) == []
        assert work.session.get_one(Repository, repository.id).download_count == 2
    assert (today.downloads, today.clients) == (1, 1)


@pytest.mark.any_database
def test_the_answer_is_the_same_until_its_addresses_are_renewed(clock, client, headers, file):
    address = f"/xet/v1/reconstructions/{file.hash}"
    before = client.get(address, headers=headers).data
    clock.advance(60)
    assert client.get(address, headers=headers).data == before


@pytest.mark.any_database
def test_an_address_opens_what_was_signed_for_and_for_a_while(clock, client, headers, file, xorb):
    body = client.get(f"/xet/v1/reconstructions/{file.hash}", headers=headers).json
    entry = body["fetch_info"][hash_to_text(xorb)][0]
    parts = urlsplit(entry["url"])
    address, last = f"{parts.path}?{parts.query}", entry["url_range"]["end"]

    def status(target, asked=f"bytes=0-{last}", **more):
        with client.get(target, headers={"Range": asked, **more}) as answer:
            return answer.status_code

    # More than was signed, also behind what other readers of headers would overlook.
    assert status(address, f"bytes=0-{last + 1}") == 403
    assert status(address, f"bytes=0-10,0-{last + 1}") == 403
    assert status(address, f"bytes=0-{last}", **{"If-Range": '"other"'}) == 206
    whole = client.get(address, headers={"If-None-Match": f'"{hash_to_text(xorb)}"'})
    assert (whole.status_code, len(whole.data)) == (206, last + 1)
    for odd in ("bytes=", "bytes=5-1", "bytes=-5", "bytes=0-", "lines=0-5", "bytes=0-1," * 65 + "0-1", "bytes=٣-٤"):
        assert status(address, odd.encode().decode("latin-1")) == 416
    # No byte is sent twice, or an address would be good for many times what was signed.
    for repeated in ("0-9,0-9", "0-9,20-29,9-12", "20-29,0-99"):
        assert status(address, f"bytes={repeated}") == 416
    assert status(address, "bytes=10-19,0-9") == 206
    # Forged.
    for old, new in (
        (f"0-{last}", f"0-{last + 1}"),
        ("expires=1", "expires=9"),
        ("signature=", "signature=A"),
        ("signature=", "other="),
        (hash_to_text(xorb), "ab" * 32),
    ):
        assert old in address
        assert status(address.replace(old, new)) == 403
    clock.advance(3600)
    assert status(address) == 206
    clock.advance(8 * 3600)
    assert status(address) == 403


@pytest.mark.any_database
def test_bytes_that_are_gone_are_missing(xnet, client, headers, file, xorb):
    body = client.get(f"/xet/v1/reconstructions/{file.hash}", headers=headers).json
    parts = urlsplit(body["fetch_info"][hash_to_text(xorb)][0]["url"])
    from plugins.xnet.storage import delete_xorb

    delete_xorb(xnet, xorb)
    assert client.get(f"{parts.path}?{parts.query}").status_code == 404
    with pytest.raises(HubError):
        b"".join(XnetSource().open_range(xnet, file.oid, 0, 10))


def test_the_bytes_leave_by_the_kernel(client, headers, file, xorb):
    """The server's own way of sending files is used, for the range that was asked for."""
    entry = client.get(f"/xet/v1/reconstructions/{file.hash}", headers=headers).json["fetch_info"][hash_to_text(xorb)][
        1
    ]
    parts, span, sent = urlsplit(entry["url"]), entry["url_range"], []

    def sendfile(stream, length):
        sent.append((stream.tell(), length))
        stream.close()
        return [b""]

    asked = {"Range": f"bytes={span['start']}-{span['end']}"}
    environ = {"hub.sendfile": sendfile}
    with client.get(f"{parts.path}?{parts.query}", headers=asked, environ_overrides=environ):
        pass
    assert sent == [(span["start"], span["end"] + 1 - span["start"])]
