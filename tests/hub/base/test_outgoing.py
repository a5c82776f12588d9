"""The guarded client, against real servers on this machine and a table of addresses that must not be reached."""

import ipaddress
import socket
import ssl
import threading
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from hub.base.errors import Invalid, Unavailable
from hub.base.outgoing import AllowedHosts, Outgoing, create_outgoing, is_public
from hub.base.settings import Settings, SettingsError
from tests.support.receiver import Receiver

INSIDE = [
    *("127.0.0.1", "127.255.0.9", "0.0.0.0", "0.1.2.3", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1"),
    *("169.254.169.254", "169.254.0.1", "100.64.0.1", "100.100.100.200", "168.63.129.16", "192.0.0.192", "192.0.0.1"),
    *("192.0.2.1", "198.51.100.1", "203.0.113.1", "198.18.0.1", "192.88.99.1", "224.0.0.1", "239.255.255.250"),
    *("240.0.0.1", "255.255.255.255", "::", "::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:a9fe:a9fe"),
    *("::127.0.0.1", "::a00:1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2002:7f00:1::"),
    *("2002:a00:1::1", "2001:0:4136:e378:8000:63bf:3fff:fdd2", "2001:db8::1", "fe80::1", "fc00::1", "fd00:ec2::254"),
    *("fec0::1", "ff02::1", "100::1", "2606:4700::5efe:10.0.0.1", "2606:4700::200:5efe:7f00:1", "5f00::1", "3fff::1"),
]
OUTSIDE = ["93.184.216.34", "8.8.8.8", "172.32.0.1", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::808:808"]

# What is refused before anybody is asked where the host is.
HOSTILE = [
    *("http://127.0.0.1/", "http://[::1]/", "http://169.254.169.254/latest/meta-data/", "http://[::ffff:10.0.0.1]/"),
    *("http://2130706433/", "http://0x7f000001/", "http://0177.0.0.1/", "http://127.1/", "http://0x7f.1/"),
    *("http://127.0.0.1./", "http://10.0.0.01/", "http://1/", "http://0/", "http://example.0x10/", "http://0x/"),
    *("http://[fe80::1%25eth0]/", "http://[fe80::1%eth0]/", "http://[::1", "http://[v1.x]/", "http:///path", "http://"),
    *("http://user@example.org/", "http://u:p@example.org/", "http://example.org@127.0.0.1/", "http://@example.org/"),
    *("ftp://example.org/", "file:///etc/passwd", "gopher://example.org/", "javascript:alert(1)", "//example.org/", ""),
    *("http://example.org:0/", "http://example.org:99999/", "http://example.org:x/", "http://example.org:22/"),
    *(
        "http://exa mple.org/",
        "http://example.org\\@127.0.0.1/",
        "http://example.org/\r\nX: y",
        "http://example.org/\0",
    ),
    *("http://１２７.０.０.１/", "http://exämple.org/", "http://ex%61mple.org/", "http://-x.org/", "http://a..b/"),
    *("http://①②⑦.0.0.1/", "http://example.org/\ud800", "http://" + "a" * 300 + ".org/", "http://e.org/" + "a" * 2048),
]


def resolving(*addresses):
    """A look-up that answers with these, whatever the name."""
    return lambda _name, _port: list(addresses)


def must_not_ask(name, _port):
    raise AssertionError(f"asked for {name}")


@pytest.mark.parametrize("text", INSIDE)
def test_an_address_inside_is_refused_as_such_and_behind_a_name(text):
    assert not is_public(ipaddress.ip_address(text))
    for addresses in ([text], ["93.184.216.34", text]):
        client = Outgoing(resolve=resolving(*addresses))
        for act in (client.check, lambda url: client.send("POST", url)):  # noqa: B023 - called at once
            with pytest.raises(Invalid) as caught:
                act("https://hooks.example.org/")
            assert caught.value.code == "outgoing_refused"


def test_an_address_outside_is_not():
    for text in OUTSIDE:
        assert is_public(ipaddress.ip_address(text)), text
        Outgoing(resolve=resolving(text)).check("https://hooks.example.org/hook?a=b#c")
    Outgoing(resolve=must_not_ask).check("http://93.184.216.34/")


@pytest.mark.parametrize("url", HOSTILE)
def test_an_odd_address_is_refused_before_anything_is_looked_up(url):
    # Only a port is judged after the look-up, as it depends on who is there.
    client = Outgoing(resolve=resolving("93.184.216.34") if ":22/" in url else must_not_ask)
    for act in (client.check, lambda url: client.send("GET", url)):
        with pytest.raises(Invalid) as caught:
            act(url)
        assert caught.value.code == "outgoing_refused"


def test_what_an_administrator_allows_is_reached():
    allowed = AllowedHosts(["*.Corp.example.", "hooks.example.org", "10.1.0.0/16", "fd00::/8", "192.168.1.7"])
    inside = {"a.corp.example": "172.16.0.1", "hooks.example.org": "127.0.0.1", "x.example": "10.1.2.3"}
    client = Outgoing(allowed=allowed, resolve=lambda name, _port: [inside[name]])
    for url in (
        "http://a.corp.example:9/",
        "http://HOOKS.example.org:1234/",
        "https://x.example:7000",
        "http://[fd00::1]",
    ):
        client.check(url)
    client.check("http://192.168.1.7:5000/")
    client.check("http://[::ffff:10.1.0.1]/")
    # Not the domain itself, not what merely ends alike, not the next network; and credentials of clouds stay shut.
    for url in ("http://corp.example/", "http://xcorp.example/"):
        with pytest.raises(Invalid):
            Outgoing(allowed=allowed, resolve=resolving("172.16.0.1")).check(url)
    for address in ("10.2.0.1", "fd00:ec2::254"):
        with pytest.raises(Invalid):
            Outgoing(allowed=allowed, resolve=resolving(address)).check("http://y.example/")
    with pytest.raises(Invalid, match="metadata"):
        Outgoing(allowed=AllowedHosts(["0.0.0.0/0", "m.example"]), resolve=resolving("169.254.169.254")).check(
            "http://m.example/"
        )
    Outgoing(allowed=AllowedHosts(["169.254.169.254"])).check("http://169.254.169.254/")


def test_settings_make_the_client_and_a_bad_one_stops_the_start(tmp_path):
    settings = {"home": tmp_path, "outgoing_allowed_hosts": "10.0.0.0/8, [::1] *.corp.example", "outgoing_ports": "443"}
    client = create_outgoing(Settings(**settings))
    client.check("http://10.2.3.4:99/")
    client.check("http://[::1]:80/")
    with pytest.raises(Invalid, match="port 80"):
        client.check("http://93.184.216.34/")
    for bad in ({"outgoing_allowed_hosts": "10.0.0.1/8"}, {"outgoing_allowed_hosts": "a b$"}, {"outgoing_ports": "x"}):
        with pytest.raises(SettingsError, match="setting outgoing_"):
            create_outgoing(Settings(home=tmp_path, **bad))


def test_the_connection_goes_to_the_address_that_was_judged():
    asked = []

    def rebind(name, _port):
        """The first answer is allowed; whoever asks again is sent elsewhere."""
        asked.append(name)
        return ["127.0.0.1"] if len(asked) == 1 else ["127.0.0.2"]

    with Receiver() as receiver:
        client = Outgoing(allowed=AllowedHosts(["127.0.0.1"]), resolve=rebind)
        url = f"http://Hooks.example.org:{receiver.port}/a%20b?c=d#e"
        answer = client.send("POST", url, body=b"hello", headers={"X-Mine": "1"})
        assert (answer.status, answer.body, answer.is_cut, answer.headers["X-Answer"]) == (
            200,
            b"thank you",
            False,
            "yes",
        )
    [request] = receiver.received
    assert (request.method, request.path, request.body) == ("POST", "/a%20b?c=d", b"hello")
    assert (request.headers["Host"], request.headers["X-Mine"]) == (f"hooks.example.org:{receiver.port}", "1")
    assert asked == ["hooks.example.org"]


def test_a_redirect_is_an_answer_and_no_proxy_is_asked(monkeypatch):
    def redirect(handler):
        handler.send_response(302)
        handler.send_header("Location", "http://169.254.169.254/")
        handler.end_headers()

    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1/")
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1/")
    with Receiver(redirect) as receiver:
        answer = Outgoing(allowed=AllowedHosts(["127.0.0.1"])).send("GET", receiver.url)
    assert (answer.status, answer.headers["Location"]) == (302, "http://169.254.169.254/")
    assert len(receiver.received) == 1


def test_an_answer_is_read_up_to_its_bound_and_never_past_the_deadline():
    def endless(handler):
        handler.send_response(200)
        for number in range(60):
            handler.send_header(f"X-{number}", "y" * 5000)
        handler.end_headers()
        while True:
            handler.wfile.write(b"x" * 1000)

    def drip(handler):
        """A header that never ends, a byte at a time: every time-out of a socket begins anew."""
        while True:
            handler.wfile.write(b"x")
            if receiver.is_over.wait(0.02):
                return

    def nonsense(handler):
        handler.wfile.write(b"220 mail.example.org ESMTP\r\n")

    client = Outgoing(allowed=AllowedHosts(["127.0.0.1"]), timeout_s=5)
    with Receiver(endless, drip, nonsense, lambda _handler: None) as receiver:
        receiver.is_over = threading.Event()
        answer = client.send("GET", receiver.url, max_answer_bytes=1500)
        assert (answer.status, answer.body, answer.is_cut) == (200, b"x" * 1500, True)
        assert len(answer.headers) == 50
        assert set(map(len, list(answer.headers.values())[5:])) == {1000}
        with pytest.raises(Unavailable, match=r"longer than 0\.2 s"):
            client.send("GET", receiver.url, timeout_s=0.2)
        receiver.is_over.set()
        for _ in range(2):
            with pytest.raises(Unavailable) as caught:
                client.send("GET", receiver.url)
            assert caught.value.code == "outgoing_no_answer"
    with pytest.raises(Unavailable):  # nobody listens there any more
        client.send("GET", receiver.url)


def test_a_host_that_nobody_knows_may_be_named_but_not_reached():
    def unknown(_name, _port):
        raise socket.gaierror(-2, "Name or service not known")

    for resolve in (unknown, resolving()):
        client = Outgoing(resolve=resolve)
        client.check("https://later.example.org/")
        with pytest.raises(Unavailable):
            client.send("POST", "https://later.example.org/")


@pytest.fixture
def authority(tmp_path):
    """A certificate of hooks.example.org and who trusts it: (server's context, client's context)."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "hooks.example.org")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("hooks.example.org")]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = tmp_path / "server.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    public = certificate.public_bytes(serialization.Encoding.PEM)
    pem.write_bytes(private + public)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(pem)
    return server, ssl.create_default_context(cadata=public.decode())


def test_tls_is_spoken_in_the_hosts_name_and_its_certificate_judged(authority):
    server, trusting = authority
    allowed = AllowedHosts(["127.0.0.1"])
    with Receiver(tls=server) as receiver:

        def send(name, tls):
            client = Outgoing(allowed=allowed, resolve=resolving("127.0.0.1"), tls=tls)
            return client.send("POST", f"https://{name}:{receiver.port}/", body=b"x")

        assert send("hooks.example.org", trusting).status == 200
        for name, tls in (("other.example.org", trusting), ("hooks.example.org", None)):
            with pytest.raises(Unavailable, match="certificate"):
                send(name, tls)
    assert len(receiver.received) == 1
