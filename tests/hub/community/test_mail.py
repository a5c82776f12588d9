"""Notifications by e-mail, over a real connection to a mail server of the tests' own."""

import dataclasses
import ipaddress
import ssl
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import select

from hub.base.errors import Unavailable
from hub.base.health import CheckStatus
from hub.base.mail import MAILER, Letter, MailRefused, create_mailer
from hub.base.settings import Settings, SettingsError
from hub.community import mail
from hub.community.models import Notification, NotificationType
from hub.community.models_reviews import Mail
from hub.community.service import notifications
from hub.community.service.notifications import Notice, tell
from hub.db.base import new_uuid
from hub.db.uow import reading, unit_of_work
from hub.http.checks import check_mail
from hub.jobs.models import Job
from hub.jobs.run import run_due
from tests.support.cli import make_runner
from tests.support.smtp import PostOffice


def use(context, url):
    """Have a context send there."""
    settings = dataclasses.replace(context.settings, mail_url=url, mail_from="The hub <hub@example.org>")
    context._values[MAILER.name] = create_mailer(settings)


@pytest.fixture
def office(context):
    with PostOffice() as office:
        use(context, f"smtp://127.0.0.1:{office.port}")
        yield office


@pytest.fixture
def told(context):
    """``told(user, "Title", ...)`` tells users something, under a key of its own."""

    def run(*users, key="", title="News", content="<b>Hi</b>\n& more", url="/models/ada/thing"):
        notice = Notice(key or new_uuid(), NotificationType.COMMENT, title, content=content, url=url)
        with unit_of_work(context) as work:
            return tell(work, notice, [user.id for user in users])

    return run


def wish(context, actor, **setting):
    with unit_of_work(context) as work:
        notifications.update_setting(work, actor=actor, **{"wants_email": True, **setting})


def rows(context):
    with reading(context) as work:
        return [
            (row.state.value, row.attempt, row.error) for row in work.session.scalars(select(Mail).order_by(Mail.id))
        ]


def test_who_wishes_it_is_told_by_mail_and_once(context, clock, office, told, make_user, actor_of):
    ada, bob, eve = (make_user(name) for name in ("ada", "bob", "eve"))
    wish(context, actor_of(ada))
    wish(context, actor_of(bob), types=["system"])
    key = new_uuid()
    for _ in range(2):
        told(ada, bob, eve, key=key, title="Née\r\nBcc: eve@example.org")
    run_due(context)
    (post,) = office.posts
    message = post.message
    assert (post.sender, post.receivers) == ("hub@example.org", ("ada@example.org",))
    assert (message["From"], message["To"]) == ("The hub <hub@example.org>", "ada@example.org")
    assert (message["Subject"], message["Bcc"]) == ("Née  Bcc: eve@example.org", None)
    assert message["List-Unsubscribe"] == f"<{context.settings.effective_base_url}/settings/notifications>"
    text, html = (message.get_body([kind]).get_content() for kind in ("plain", "html"))
    assert "<b>Hi</b>\n& more" in text.replace("\r\n", "\n")
    assert f"{context.settings.effective_base_url}/models/ada/thing" in text
    assert "&lt;b&gt;Hi&lt;/b&gt;" in html
    assert "src=" not in html
    assert rows(context) == [("sent", 1, "")]
    told(ada, key=key)
    mail.send_mails(context)
    assert len(office.posts) == 1
    # What was read meanwhile, and what is no more, is not sent.
    told(ada, title="Read")
    told(ada, title="Gone")
    with unit_of_work(context) as work:
        for row in work.session.scalars(select(Notification).where(Notification.title == "Read")):
            row.read_at = work.now()
        for row in work.session.scalars(select(Notification).where(Notification.title == "Gone")):
            work.session.delete(row)
    run_due(context)
    assert (len(office.posts), rows(context)) == (1, [("sent", 1, "")])
    clock.advance(context.settings.mail_ttl_s + 1)
    assert (mail.prune_mails(context), rows(context)) == (1, [])


def test_quiet_hours_are_waited_for(context, clock, office, told, make_user, actor_of):
    ada = make_user("ada")
    hours = {"do_not_disturb_start": "11:00", "do_not_disturb_end": "13:00", "is_do_not_disturb_enabled": True}
    wish(context, actor_of(ada), options={**hours, "email_address": "me@elsewhere.example"})
    told(ada)
    run_due(context)
    assert (office.posts, rows(context)) == ([], [("pending", 0, "")])
    for _ in range(4):
        clock.advance(15 * 60)
        run_due(context)
    assert [post.receivers for post in office.posts] == [("me@elsewhere.example",)]


def test_what_fails_is_tried_again_until_it_is_enough(context, clock, office, told, make_user, actor_of):
    ada, bob = make_user("ada"), make_user("bob")
    for user in (ada, bob):
        wish(context, actor_of(user))
    office.answers = {"ada@example.org": "450 Later\0", "bob@example.org": "550 Nobody"}
    told(ada, bob)
    mail.send_mails(context)
    assert rows(context) == [("pending", 1, "450 Later"), ("failed", 1, "550 Nobody")]
    mail.send_mails(context)
    assert rows(context)[0][1] == 1  # not yet
    with reading(context) as work:
        later = work.session.scalars(select(Job).where(Job.unique_key == mail.LATER_KEY)).one()
        assert later.run_after == clock.now() + timedelta(seconds=mail.PAUSES_S[0])
    for pause in mail.PAUSES_S:
        clock.advance(pause)
        mail.send_mails(context)
    assert rows(context)[0] == ("failed", mail.MAX_TRIES, "450 Later")
    # The server takes it and dies before it says so: it is sent at most once more, under the same id.
    office.answers = {"ada@example.org": lambda _handler: ""}
    told(ada, title="Twice")
    assert "broke" in mail.send_mails(context).trouble
    office.answers = {}
    assert mail.send_mails(context).sent == 0
    clock.advance(mail.PAUSES_S[0])
    assert mail.send_mails(context).sent == 1
    first, second = (post.message["Message-ID"] for post in office.posts)
    assert first == second
    # A server that is away costs no message a try.
    use(context, "smtp://127.0.0.1:1")
    told(ada, title="Away")
    assert mail.send_mails(context).trouble
    assert rows(context)[-1] == ("pending", 0, "")


def test_many_are_sent_by_several_runs(context, office, told, make_user, actor_of, monkeypatch):
    monkeypatch.setattr(mail, "MAX_SENT", 2)
    monkeypatch.setattr(mail, "_BATCH", 1)
    people = [make_user(f"user{number}") for number in range(5)]
    for user in people:
        wish(context, actor_of(user))
    told(*people)
    assert mail.send_mails(context).sent == 2
    run_due(context)
    assert len({post.receivers for post in office.posts}) == len(office.posts) == 5


def test_two_at_once_send_one(context, office, told, make_user, actor_of):
    ada = make_user("ada")
    wish(context, actor_of(ada))
    told(ada)
    office.answers = {"ada@example.org": lambda _handler: [mail.send_mails(context), "250 Taken"][1]}
    assert mail.send_mails(context).sent == 1
    assert len(office.posts) == 1


@pytest.fixture
def authority(tmp_path, monkeypatch):
    """A server's context whose certificate is good for 127.0.0.1, and a function that has it trusted."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "post.example")])
    now = datetime.now(UTC)
    names = x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))])
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(now - timedelta(days=1))
    made = builder.not_valid_after(now + timedelta(days=1)).add_extension(names, False).sign(key, hashes.SHA256())
    public = tmp_path / "public.pem"
    public.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    whole = tmp_path / "whole.pem"
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    whole.write_bytes(private + public.read_bytes())
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(whole)
    return server, lambda: monkeypatch.setenv("SSL_CERT_FILE", str(public))


@pytest.mark.any_database
def test_passwords_go_over_verified_tls_only(context, settings, authority):
    server, trust = authority
    letter = Letter("ada@example.org", "Hi", "Hi\n", "<p>Hi</p>", "<1@example.org>")

    def deliver(url, to="ada@example.org"):
        use(context, url)
        with context[MAILER].session() as send:
            send(dataclasses.replace(letter, to=to))

    with PostOffice() as plain, PostOffice(tls=server) as office:
        for url in (f"smtp://u:right@127.0.0.1:{plain.port}", f"smtp://127.0.0.1:{plain.port}?starttls=required"):
            with pytest.raises(Unavailable, match="STARTTLS"):
                deliver(url)
        assert check_mail(context).status == CheckStatus.WARN
        deliver(f"smtp://u:right@127.0.0.1:{plain.port}?starttls=off")
        assert plain.posts[0].user == "u:right"
        with pytest.raises(Unavailable, match="certificate"):
            deliver(f"smtp://u:right@127.0.0.1:{office.port}")
        trust()
        deliver(f"smtp://u:right@127.0.0.1:{office.port}")
        assert (office.posts[0].is_private, office.posts[0].user) == (True, "u:right")
        assert check_mail(context).status == CheckStatus.OK
        with pytest.raises(Unavailable, match="535 Who are you") as caught:
            deliver(f"smtp://u:wrong@127.0.0.1:{office.port}")
        assert "wrong" not in str(caught.value)
        for address in ("ada@example.org\r\nBcc: eve@example.org", "nobody", "a@b, c@d", ""):
            with pytest.raises(MailRefused):
                deliver(f"smtp://127.0.0.1:{plain.port}", to=address)
        assert len(plain.posts) == 1
        run = make_runner(context, dataclasses.replace(settings, mail_url=f"smtp://127.0.0.1:{plain.port}"), "mail")
        assert "Sent to eve@example.org" in run("test", "eve@example.org")
        assert plain.posts[-1].receivers == ("eve@example.org",)


@pytest.mark.parametrize(
    "wrong",
    [
        {"mail_url": url}
        for url in ("", "http://h", "smtp://", "smtp://h:x", "smtp://h?starttls=maybe", "smtp://h?a=b", "smtps://h/p")
    ]
    + [{"mail_from": "nobody"}, {"mail_from": "a@b\r\nBcc: c@d"}],
)
def test_a_setting_that_cannot_be_used_stops_the_start(tmp_path, wrong):
    with pytest.raises(SettingsError, match=next(iter(wrong))):
        create_mailer(Settings(home=tmp_path, **wrong))
