import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from hub.base.errors import Invalid
from hub.cli.issuer import cli
from hub.db.uow import unit_of_work
from hub.licensing.editions import licenses_path
from hub.licensing.keys import ED25519, PublicKey
from hub.licensing.service import installation, make_request
from hub.licensing.verify import Verifier
from tests.support.licenses import make_keyring, make_older_license

ROOT = Path(__file__).parents[3]
ONE = "6f1c7e0e-0000-4000-8000-000000000001"


def vendor(*arguments, input=None, refused=None, status=0):
    """What ``hub-license`` prints."""
    result = CliRunner().invoke(cli, arguments, input=input)
    if refused is not None:
        assert isinstance(result.exception, refused), f"{result.output}{result.exception!r}"
        return str(result.exception)
    assert result.exit_code == status, f"{result.output}{result.exception!r}"
    return result.stdout


@pytest.fixture
def keys(tmp_path):
    """A directory with a fresh key ``acme-1``."""
    vendor("keygen", "--kid", "acme-1", "--out", str(tmp_path / "keys"))
    return tmp_path / "keys"


@pytest.fixture
def verifier(keys):
    """Reads with the public half of that key, taken from its file."""
    content = "".join((keys / "acme-1.pem").read_text().splitlines()[1:-1])
    return Verifier(make_keyring(**{"acme-1": PublicKey(ED25519, content)}))


@pytest.fixture
def sign(keys):
    """``sign("issue", ...)``: a command that signs, with the key given."""

    def run(command, *arguments, **options):
        return vendor(command, "--key", str(keys / "acme-1.key"), "--kid", "acme-1", *arguments, **options)

    return run


ACME = ("--company", "Acme", "--max-user", "10")


def test_a_key_is_made_for_its_owner_only_and_never_written_over(keys, tmp_path):
    assert (keys / "acme-1.key").stat().st_mode & 0o777 == 0o600
    assert "PRIVATE" not in (keys / "acme-1.pem").read_text()
    vendor("keygen", "--kid", "acme-1", "--out", str(keys), refused=Invalid)
    printed = vendor("keygen", "--kid", "acme-2", "--out", str(keys))
    content = "".join((keys / "acme-2.pem").read_text().splitlines()[1:-1])
    assert f'"acme-2": PublicKey(ED25519, "{content}"),' in printed
    for kid in ("", "../x", ".x", "a b", "ä"):
        vendor("keygen", "--kid", kid, "--out", str(keys), status=2)


def test_no_private_key_is_written_into_a_checkout(tmp_path):
    checkout = tmp_path / "checkout"
    (checkout / ".git").mkdir(parents=True)
    (checkout / "hub" / "licensing").mkdir(parents=True)
    for place in (checkout, checkout / "licenses", ROOT / "licenses"):
        assert "checkout" in vendor("keygen", "--kid", "k", "--out", str(place), refused=Invalid)
    assert not list(checkout.rglob("*.key"))


def test_a_key_may_have_a_passphrase(tmp_path):
    vendor("keygen", "--kid", "safe", "--out", str(tmp_path), "--passphrase-stdin", input="word\n")
    sign = ("issue", "--key", str(tmp_path / "safe.key"), "--kid", "safe", *ACME, "--perpetual")
    assert "ENCRYPTED" in (tmp_path / "safe.key").read_text()
    assert "BEGIN HUB LICENSE" in vendor(*sign, "--passphrase-stdin", input="word\n")
    vendor(*sign, "--passphrase-stdin", input="wrong\n", refused=Invalid)
    vendor(*sign, refused=Invalid)


def test_only_an_ed25519_key_signs(tmp_path):
    key = rsa.generate_private_key(public_exponent=65537, key_size=1024)
    path = tmp_path / "rsa.key"
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    vendor("issue", "--key", str(path), "--kid", "k", *ACME, "--perpetual", refused=Invalid)


def test_an_issued_licence_says_what_was_asked(sign, verifier, tmp_path):
    out = tmp_path / "acme.license"
    sign(
        "issue",
        *ACME,
        *("--email", "it@acme.example", "--customer-id", "C-1", "--expires", "2030-12-31"),
        *("--features", "audit, sso.saml", "--max-gpu", "8", "--quota", "sync.repos=50", "--quota", "a=-1"),
        *("--supersedes", ONE, "--grace-days", "3", "--overage-pct", "0", "--starts", "2026-01-01T00:00:00+08:00"),
        *("--out", str(out)),
    )
    license = verifier.read_license(out.read_text())
    assert (license.company, license.email, license.customer_id) == ("Acme", "it@acme.example", "C-1")
    assert (license.edition, license.features, license.quotas) == (
        "ee",
        {"audit", "sso.saml"},
        {"sync.repos": 50, "a": -1},
    )
    assert (license.max_user, license.max_gpu, license.max_node) == (10, 8, -1)
    assert (license.supersedes, license.grace_days, license.seats) == ((ONE,), 3, 10)
    assert license.expire_time.isoformat() == "2030-12-31T00:00:00+00:00"
    assert license.start_time.isoformat() == "2025-12-31T16:00:00+00:00"


def test_a_perpetual_licence_has_maintenance_instead_of_an_end(sign, verifier):
    text = sign("issue", *ACME, "--perpetual", "--maintenance-until", "2028-01-01", "--id", ONE)
    license = verifier.read_license(text)
    assert (license.id, license.expire_time) == (ONE, None)
    assert license.maintenance_until.year == 2028


def test_what_no_hub_would_accept_is_not_signed(sign):
    for arguments in (
        (),
        ("--perpetual", "--expires", "2030-01-01"),
        ("--expires", "2030-01-01", "--maintenance-until", "2031-01-01"),
        ("--expires", "soon"),
        ("--perpetual", "--quota", "x"),
        ("--perpetual", "--reset-clock"),
    ):
        sign("issue", *ACME, *arguments, status=2)
    for arguments in (("--max-user", "0"), ("--supersedes", "x"), ("--features", "NO"), ("--id", "7")):
        sign("issue", *ACME, "--perpetual", *arguments, refused=Invalid)


def test_a_licence_is_bound_by_the_customers_request(context, sign, verifier, tmp_path):
    with unit_of_work(context) as work:
        request = make_request(work)
        fingerprint = installation(work).fingerprint
    path = tmp_path / "hub.request"
    path.write_text(request)
    text = sign("issue", *ACME, "--perpetual", "--request", str(path))
    assert verifier.read_license(text).fingerprint == fingerprint
    assert not verifier.read_license(text).resets_clock
    text = sign("issue", *ACME, "--perpetual", "--request", str(path), "--reset-clock")
    assert verifier.read_license(text).resets_clock
    path.write_text(request[:300])
    sign("issue", *ACME, "--perpetual", "--request", str(path), refused=Invalid)
    path.write_text(text)
    sign("issue", *ACME, "--perpetual", "--request", str(path), refused=Invalid)


def test_a_revocation_list_grows_from_the_previous_one(sign, verifier, tmp_path):
    path = tmp_path / "list"
    sign("revoke", ONE, "--reason", "unpaid", "--out", str(path))
    text = sign("revoke", ONE.replace("1", "2", 1)[:-1] + "2", "--previous", str(path))
    assert verifier.read_revocations(path.read_text()).revoked == {ONE: "unpaid"}
    assert len(verifier.read_revocations(text).revoked) == 2
    sign("revoke", "x", status=2)
    sign("revoke", status=2)


def test_a_file_is_inspected_and_its_signature_judged_by_this_release(sign, context, tmp_path):
    seen = json.loads(vendor("inspect", str(licenses_path() / "evaluation.license")))
    assert (seen["kind"], seen["signature"], seen["payload"]["company"]) == ("HUB LICENSE", "good", "Evaluation")
    seen = json.loads(vendor("inspect", "-", input=sign("issue", *ACME, "--perpetual")))
    assert (seen["signature"], seen["kid"]) == ("license_key_unknown", "acme-1")
    assert json.loads(vendor("inspect", "-", input=sign("revoke", ONE)))["kind"] == "HUB LICENSE REVOCATIONS"
    with unit_of_work(context) as work:
        request = make_request(work)
    assert json.loads(vendor("inspect", "-", input=request))["signature"] == "good"
    vendor("inspect", "-", input=make_older_license(), refused=Invalid)
    vendor("inspect", "-", input="hello", refused=Invalid)


def test_the_command_is_installed_and_ends_with_status_1_and_the_reason(tmp_path):
    command = Path(sys.executable).with_name("hub-license")
    assert shutil.which(str(command))
    (tmp_path / "x").write_text("hello")
    done = subprocess.run([command, "inspect", tmp_path / "x"], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("hub-license: There is no licence in this text")
