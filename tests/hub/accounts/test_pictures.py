from datetime import timedelta
from io import BytesIO

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from hub.accounts.models import Member, Role
from hub.accounts.service.pictures import MAX_BYTES, sweep_pictures
from hub.objects.store import STORE

pytestmark = pytest.mark.any_database

SECRET = b"taken at home, 52.5N 13.4E"


def picture(size, format="PNG", colour=(200, 30, 30), **options):
    stream = BytesIO()
    image = Image.new("RGB", size, colour)
    # What is beside the middle square is blue.
    if size[0] > size[1]:
        image.paste((0, 0, 255), (0, 0, (size[0] - size[1]) // 2 - 2, size[1]))
    image.save(stream, format, **options)
    return stream.getvalue()


@pytest.fixture
def send(client, make_user, make_token):
    ada = make_user("ada")
    headers = {"Authorization": f"Bearer {make_token(ada, 'admin')}"}

    def call(content, path="/api/v1/user/ada/avatar", method="PUT"):
        return client.open(path, method=method, data=content, headers=headers)

    call.user, call.headers = ada, headers
    return call


def test_an_avatar_is_a_clean_square_in_two_sizes_at_an_address_that_stays(client, send):
    note = PngInfo()
    note.add_text("Comment", SECRET.decode())
    answer = send(picture((1600, 800), pnginfo=note) + SECRET)
    assert answer.status_code == 200, answer.text
    url = answer.json["data"]["url"]
    assert url.startswith("http://localhost/-/pictures/")
    for address, side in ((url, 512), (f"{url}/small", 96)):
        found = client.get(address)
        assert (found.status_code, found.mimetype) == (200, "image/webp")
        assert "immutable" in found.headers["Cache-Control"]
        assert "sandbox" in found.headers["Content-Security-Policy"]
        assert found.headers["X-Content-Type-Options"] == "nosniff"
        image = Image.open(BytesIO(found.data))
        assert image.size == (side, side)
        assert image.convert("RGB").getpixel((2, side // 2))[0] > 150, "it is cut from the middle"
        assert SECRET not in found.data
        assert not image.info.get("exif")
        assert client.get(address, headers={"If-None-Match": found.headers["ETag"]}).status_code == 304
    told = client.get("/api/v1/user/ada", headers=send.headers).json["data"]
    assert told["avatar"] == url
    # A client that sends back what it read changes nothing, and one that takes it away does.
    place = f"/api/v1/user/{told['uuid']}"
    assert client.put(place, json={"avatar": url}, headers=send.headers).json["data"]["avatar"] == url
    page = client.get("/profile/ada", headers={**send.headers, "Accept": "text/html"}).text
    assert f'src="{url.removeprefix("http://localhost")}"' in page
    page = client.get("/settings/profile", headers={**send.headers, "Accept": "text/html"})
    assert 'data-testid="picture.remove"' in page.text
    assert send(None, method="DELETE").status_code == 200
    assert client.get("/api/v1/user/ada", headers=send.headers).json["data"]["avatar"] == ""


def test_other_formats_are_taken_and_small_ones_are_not_blown_up(client, send):
    for format in ("JPEG", "WEBP", "GIF"):
        url = send(picture((40, 60), format)).json["data"]["url"]
        assert Image.open(BytesIO(client.get(url).data)).size == (40, 40)


def test_an_organisations_logo_stays_whole_and_is_its_administrators(client, send, make_organization, writing):
    acme, path = make_organization("acme"), "/api/v1/organization/acme/logo"
    with writing() as work:
        member = Member(organization_id=acme.id, user_id=send.user.id, role=Role.WRITE, created_at=work.now())
        work.session.add(member)
    assert send(picture((400, 200)), path).status_code == 403
    with writing() as work:
        work.session.get(Member, member.id).role = Role.ADMIN
    url = send(picture((400, 200)), path).json["data"]["url"]
    logo = Image.open(BytesIO(client.get(url).data)).convert("RGBA")
    assert logo.size == (400, 400)
    assert logo.getpixel((200, 5))[3] == 0, "a clear ground above"
    assert logo.getpixel((5, 200))[2] > 150, "its left edge is there"
    assert client.get("/api/v1/organization/acme").json["data"]["logo"] == url
    face = send(picture((9, 9))).json["data"]["url"].removeprefix("http://localhost")
    page = client.get("/organizations/acme/members", headers={**send.headers, "Accept": "text/html"}).text
    assert f'src="{face}/small"' in page
    page = client.get("/organizations/acme/edit", headers={**send.headers, "Accept": "text/html"}).text
    assert f'data-picture="{path}"' in page
    assert send(None, path, "DELETE").status_code == 200
    assert client.get("/api/v1/organization/acme").json["data"]["logo"] == ""


def bomb():
    """A small file that says it is enormous."""
    stream = BytesIO()
    Image.new("1", (30_000, 30_000)).save(stream, "PNG")
    return stream.getvalue()


REFUSED = (
    (b"", "picture_unreadable"),
    (b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>", "picture_unreadable"),
    (picture((50, 50))[:60], "picture_unreadable"),
    (picture((50, 50), "BMP"), "picture_unreadable"),
)


def test_what_is_no_picture_is_refused_and_nothing_is_kept(context, send):
    for content, code in (*REFUSED, (bomb(), "picture_")):
        answer = send(content)
        assert answer.status_code == 400, (content[:50], answer.text)
        assert answer.json["code"].startswith(code)
    assert send(b"\x89PNG\r\n\x1a\n" + b"x" * MAX_BYTES).status_code == 413
    assert [*context[STORE].list("pictures/")] == []


def test_pictures_that_nobody_has_are_swept_after_a_day(context, send):
    old, new = (send(picture((9, 9), colour=colour)).json["data"]["url"][-40:] for colour in ((1, 2, 3), (4, 5, 6)))
    later = context.clock.now() + timedelta(hours=25)
    assert sweep_pictures(context, now=context.clock.now()) == 0
    assert sweep_pictures(context, now=later) == 2
    assert {info.key for info in context[STORE].list("pictures/")} == {f"pictures/{new}", f"pictures/{new}.small"}
    assert old != new
