import json
from datetime import UTC, datetime, timedelta

import pytest

from hub.base.errors import Conflict, Invalid, NotFound
from hub.licensing.request import read_request
from hub.licensing.service import face
from tests.support.cli import make_runner
from tests.support.licenses import KEYRING, make_license, make_revocations

ONE = "6f1c7e0e-0000-4000-8000-000000000001"


@pytest.fixture
def hub(context, settings, monkeypatch):
    """``hub("license", "show")``: what the command prints; with ``refused=Invalid`` the error that it must end with."""
    # A command builds a context of its own, and no setting makes it trust another vendor.
    monkeypatch.setattr(face, "VENDOR_KEYS", KEYRING)
    return make_runner(context, settings, "license")


@pytest.fixture
def text():
    """A licence that is good today, for the commands have no clock but the machine's."""
    now = datetime.now(UTC)
    return make_license(id=ONE, start_time=now - timedelta(days=9), expire_time=now + timedelta(days=99))


@pytest.fixture
def file(tmp_path, text):
    path = tmp_path / "hub.license"
    path.write_text(text)
    return str(path)


def test_a_licence_is_imported_shown_and_removed(hub, file, text):
    assert json.loads(hub("show", "--json"))["state"] == "none"
    assert "No licence is installed" in hub("show")
    assert "Imported the licence of Acme." in hub("import", file)
    shown = json.loads(hub("show", "--json"))
    assert (shown["state"], shown["license_id"], shown["usage"]["users"]) == ("valid", ONE, 0)
    assert "valid: The licence is in force." in hub("show")
    assert json.loads(hub("import", "-", "--json", "--remark", "again", input=text))["state"] == "valid"
    hub("remove", input="n\n", status=1)
    assert "Removed the licence of Acme" in hub("remove", input="y\n")
    hub("import", file)
    assert json.loads(hub("remove", "--yes", "--json"))["license_id"] == ONE
    hub("remove", "--yes", refused=NotFound)
    assert json.loads(hub("show", "--json"))["state"] == "none"


def test_a_licence_is_verified_without_being_installed(hub, file, tmp_path):
    assert json.loads(hub("verify", file, "--json"))["company"] == "Acme"
    bound = tmp_path / "bound.license"
    bound.write_text(make_license(fingerprint="ab" * 32))
    assert "another installation" in hub("verify", str(bound), status=1)
    assert json.loads(hub("show", "--json"))["state"] == "none"


def test_what_is_no_licence_ends_the_command_with_what_to_do(hub, file, text, tmp_path):
    for name, content in (
        ("empty", b""),
        ("bytes", b"\xff\x00"),
        ("long", b"x" * 100_000),
        ("cut", text.encode()[:99]),
    ):
        path = tmp_path / name
        path.write_bytes(content)
        assert "." in hub("import", str(path), refused=Invalid)
        hub("verify", str(path), refused=Invalid)
    hub("import", str(tmp_path / "nothing"), status=2)
    hub("import", file)
    hub("import", "-", input=make_license(id=ONE, issued_at="2025-01-01T00:00:00Z"), refused=Conflict)


def test_a_revocation_list_is_imported_the_same_way(hub, file):
    hub("import", file)
    assert "a list of 1 revoked" in hub("import", "-", input=make_revocations(ONE))
    assert json.loads(hub("show", "--json"))["reason"] == "revoked"


def test_a_request_goes_to_the_vendor(hub):
    asked = read_request(hub("request"))
    assert read_request(json.loads(hub("request", "--json"))["request"]).fingerprint == asked.fingerprint
