import base64
import contextlib
import itertools
import subprocess

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from hub.accounts import service
from hub.accounts.authentication import authenticate_ssh_key
from hub.accounts.models import TokenScope
from hub.accounts.policy import SYSTEM, Actor
from hub.accounts.service.keys import InvalidKey, parse_public_key
from hub.base.errors import Conflict, Denied, NotFound


def line_of(private_key):
    return private_key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH).decode()


def ed25519_line():
    return line_of(ed25519.Ed25519PrivateKey.generate())


def packed(*parts):
    return b"".join(len(part).to_bytes(4, "big") + part for part in parts)


def hardware_line(kind, *parts):
    return f"{kind} {base64.b64encode(packed(kind.encode(), *parts)).decode()}"


def hardware_lines():
    raw = ed25519.Ed25519PrivateKey.generate().public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    point = ec.generate_private_key(ec.SECP256R1()).public_key()
    encoded = point.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)
    return [
        hardware_line("sk-ssh-ed25519@openssh.com", raw, b"ssh:"),
        hardware_line("sk-ecdsa-sha2-nistp256@openssh.com", b"nistp256", encoded, b"ssh:"),
    ]


def good_lines():
    curves = (ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1())
    return [
        ed25519_line(),
        *(line_of(ec.generate_private_key(curve)) for curve in curves),
        line_of(rsa.generate_private_key(65537, 2048)),
        *hardware_lines(),
    ]


def test_every_kind_of_key_that_openssh_makes_today_is_taken():
    for line in good_lines():
        parsed = parse_public_key(f"  {line} ada@laptop at home \n")
        assert parsed.text == line
        assert parsed.comment == "ada@laptop at home"


def test_the_fingerprint_is_what_ssh_keygen_prints(tmp_path):
    path = tmp_path / "key.pub"
    for line in good_lines():
        path.write_text(f"{line}\n")
        printed = subprocess.run(["ssh-keygen", "-lf", str(path)], capture_output=True, text=True, check=True).stdout
        assert parse_public_key(line).fingerprint == printed.split()[1]


def test_a_key_made_by_ssh_keygen_is_taken(tmp_path):
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "ada", "-f", tmp_path / "k"], check=True)
    assert parse_public_key((tmp_path / "k.pub").read_text()).comment == "ada"
    with pytest.raises(InvalidKey, match=r"private key|one line"):
        parse_public_key((tmp_path / "k").read_text())


GOOD = ed25519_line()


@pytest.mark.parametrize(
    "text,reason",
    [
        ("", "no OpenSSH public key"),
        ("hello", "no OpenSSH public key"),
        (f"{GOOD}\n{GOOD}", "one line"),
        ("-----BEGIN OPENSSH PRIVATE KEY-----", "private key"),
        ("ssh-dss AAAAB3NzaC1kc3MAAACBAA==", "DSA"),
        (f'command="sh" {GOOD}', "no OpenSSH public key"),
        (GOOD[:-12], "damaged"),
        ("ssh-ed25519", "differ"),
        ("ssh-ed25519 !!!!", "damaged"),
        (GOOD.replace("ssh-ed25519", "ssh-rsa", 1), "differ"),
        (f"ssh-ed25519 {base64.b64encode(packed(b'ssh-ed25519', b'short')).decode()}", "damaged"),
        ("ssh-ed25519 " + "A" * 9000, "one line"),
        ("ssh-ed25519 ä", "damaged"),
    ],
    # Workers that share a run must agree on the names, and the key is a fresh one in each.
    ids=itertools.count(),
)
def test_what_is_no_good_key_is_refused_with_the_reason(text, reason):
    with pytest.raises(InvalidKey, match=reason):
        parse_public_key(text)


def test_a_short_rsa_key_is_refused():
    # 1024 bits: the modulus need not be a product of primes for the form to be judged.
    modulus = (1 << 1023) + 1
    blob = packed(b"ssh-rsa", (65537).to_bytes(3, "big"), b"\0" + modulus.to_bytes(128, "big"))
    with pytest.raises(InvalidKey, match="2048"):
        parse_public_key(f"ssh-rsa {base64.b64encode(blob).decode()}")


@given(st.text())
def test_no_text_at_all_crashes_the_parser(text):
    for candidate in (text, f"ssh-rsa {text}", f"{GOOD} {text}"):
        with contextlib.suppress(InvalidKey):
            parse_public_key(candidate)


@given(st.sampled_from(["ssh-ed25519", "ssh-rsa", "ecdsa-sha2-nistp256", "sk-ssh-ed25519@openssh.com"]), st.binary())
def test_no_blob_at_all_crashes_the_parser(kind, tail):
    blob = packed(kind.encode()) + tail
    with contextlib.suppress(InvalidKey):
        parse_public_key(f"{kind} {base64.b64encode(blob).decode()}")


def test_the_holder_of_a_key_is_its_account(work, make_user, actor_of):
    ada = make_user("ada")
    line = ed25519_line()
    key = service.add_ssh_key(work, actor=actor_of(ada), user=ada, name="", public_key=f"{line} laptop")
    assert key.name == "laptop"
    assert authenticate_ssh_key(work, f"{line} other comment") == Actor.of_user(ada, via="ssh")
    assert authenticate_ssh_key(work, ed25519_line()) is None
    assert authenticate_ssh_key(work, "nonsense") is None
    service.deactivate_user(work, actor=SYSTEM, user=ada)
    assert authenticate_ssh_key(work, line) is None


def test_a_key_belongs_to_one_account_and_a_name_to_one_key(work, make_user, actor_of):
    ada, eve = make_user("ada"), make_user("eve")
    line = ed25519_line()
    service.add_ssh_key(work, actor=actor_of(ada), user=ada, name="laptop", public_key=line)
    for user, name, other in ((eve, "laptop", line), (ada, "second", line), (ada, "laptop", ed25519_line())):
        with pytest.raises(Conflict) as caught:
            service.add_ssh_key(work, actor=actor_of(user), user=user, name=name, public_key=other)
        assert caught.value.code == "ssh_key_exists"
    assert service.list_ssh_keys(work, actor=actor_of(ada), user=ada).total == 1
    with pytest.raises(Denied):
        service.list_ssh_keys(work, actor=actor_of(eve), user=ada)


def test_a_removed_key_is_good_no_more(work, make_user, actor_of):
    ada, line = make_user("ada"), ed25519_line()
    service.add_ssh_key(work, actor=actor_of(ada), user=ada, name="laptop", public_key=line)
    service.remove_ssh_key(work, actor=actor_of(ada), user=ada, name="laptop")
    assert authenticate_ssh_key(work, line) is None
    with pytest.raises(NotFound):
        service.remove_ssh_key(work, actor=actor_of(ada), user=ada, name="laptop")


def test_a_token_for_writing_adds_no_keys(work, make_user):
    ada = make_user("ada")
    actor = Actor.of_user(ada, via="token", scope=TokenScope.WRITE)
    with pytest.raises(Denied) as caught:
        service.add_ssh_key(work, actor=actor, user=ada, name="x", public_key=ed25519_line())
    assert caught.value.code == "scope_insufficient"
