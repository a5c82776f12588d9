"""E-mail: what a message looks like, and the two ways that it goes: into the log, or to a server by SMTP.

``mail_url`` says which: ``log:``, ``smtp://USER:PASSWORD@HOST:PORT`` or ``smtps://...`` (TLS from the beginning).
With ``smtp://`` TLS begins by STARTTLS where the server offers it; ``?starttls=required`` refuses to do without, and
``?starttls=off`` does not even ask. A password goes over a connection without TLS only if that was switched off.
Certificates are verified.
"""

from __future__ import annotations

import ssl
import unicodedata
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime
from email.utils import format_datetime, parseaddr
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote, urlsplit
from uuid import uuid4

from hub.base.context import Key
from hub.base.errors import HubError, Unavailable
from hub.base.log import get_logger
from hub.base.settings import Settings, SettingsError

if TYPE_CHECKING:
    from email.message import EmailMessage
    from smtplib import SMTP

# What takes memory here (smtplib, email.headerregistry) is imported by the workers that send, and by nobody else.
log = get_logger(__name__)

# Of each answer that the server is waited for.
TIMEOUT_S = 30.0
MAX_SUBJECT_CHARS = 255
MAX_REASON_CHARS = 255

_PORTS = {"smtp": 25, "smtps": 465}
_STARTTLS = ("auto", "required", "off")


class MailRefused(HubError):
    """The server did not take this one message. is_final: nor would it later."""

    def __init__(self, message: str, *, is_final: bool) -> None:
        super().__init__(message, code="mail_refused")
        self.is_final = is_final


@dataclass(frozen=True)
class Letter:
    """One message to one address. message_id: the same for the same message, so that a double is seen as one.

    html: made by us, with all that comes from people escaped. unsubscribe_url: where it is switched off.
    """

    to: str
    subject: str
    text: str
    html: str
    message_id: str
    unsubscribe_url: str = ""


Send = Callable[[Letter], None]


@dataclass(frozen=True)
class Sender:
    """Whom messages come from. name: may be empty."""

    name: str
    address: str

    @property
    def domain(self) -> str:
        return self.address.rpartition("@")[2]


class Mailer(ABC):
    """A way to send."""

    def __init__(self, sender: Sender) -> None:
        self.sender = sender

    @abstractmethod
    def describe(self) -> str:
        """Where messages go, without secrets."""

    @abstractmethod
    def session(self) -> AbstractContextManager[Send]:
        """What gives, while the block lasts, what sends one letter after the other.

        Raises Unavailable when the server cannot be used now; what it gives raises MailRefused, or Unavailable when
        the connection broke: whether the server took that letter is not known then.
        """

    def message_id(self, name: str) -> str:
        """The id of a message that is called so, the same each time. name: letters, digits and dashes."""
        return f"<{name}@{self.sender.domain}>"


def build_message(letter: Letter, sender: Sender, now: datetime) -> EmailMessage:
    """The letter as it is sent. Raises MailRefused for an address that cannot be one.

    No text of a letter can add a header: control characters in the subject become blanks, and the library refuses
    them everywhere else.
    """
    from email.headerregistry import Address
    from email.message import EmailMessage
    from email.policy import SMTP

    message = EmailMessage(policy=SMTP)
    try:
        message["From"] = Address(display_name=one_line(sender.name), addr_spec=sender.address)
        message["To"] = Address(addr_spec=letter.to)
        message["Subject"] = one_line(letter.subject)[:MAX_SUBJECT_CHARS]
        message["Date"] = format_datetime(now)
        message["Message-ID"] = letter.message_id
        message["Auto-Submitted"] = "auto-generated"
        if letter.unsubscribe_url:
            message["List-Unsubscribe"] = f"<{letter.unsubscribe_url}>"
        message.set_content(letter.text, cte="quoted-printable")
        message.add_alternative(letter.html, subtype="html", cte="quoted-printable")
    except (ValueError, IndexError, UnicodeError, TypeError) as error:  # what the library raises for odd addresses
        raise MailRefused(f"This cannot be sent: {one_line(str(error))[:100]}", is_final=True) from None
    return message


def one_line(text: str) -> str:
    """The text without control characters, each of which becomes a blank, and without lone surrogates."""
    return "".join(" " if unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") else char for char in text).strip()


class LogMailer(Mailer):
    """Sends nothing: that a message would have gone, to whom and about what, is in the log."""

    def describe(self) -> str:
        return "the log"

    @contextmanager
    def session(self) -> Iterator[Send]:
        yield self._note

    def _note(self, letter: Letter) -> None:
        log.info("mail_logged", to=one_line(letter.to), subject=one_line(letter.subject))


class SMTPMailer(Mailer):
    """Sends by a server. is_tls: from the first byte on; else starttls says: "auto", "required" or "off"."""

    def __init__(
        self,
        sender: Sender,
        *,
        server: str,
        port: int,
        user: str = "",
        password: str = "",
        is_tls: bool = False,
        starttls: str = "auto",
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        super().__init__(sender)
        self._server, self._port = server, port
        self._user, self._password = user, password
        self._is_tls, self._starttls = is_tls, starttls
        self._timeout_s = timeout_s

    def describe(self) -> str:
        return f"{self._server}:{self._port}"

    @contextmanager
    def session(self) -> Iterator[Send]:
        client = self._connect()
        try:
            yield lambda letter: self._send(client, letter)
        finally:
            with suppress(OSError):  # SMTPException is one
                client.quit()
            client.close()

    def _connect(self) -> SMTP:
        import smtplib

        client: SMTP | None = None
        name = self.sender.domain  # by which the hub greets; else its fully qualified name were looked up
        try:
            if self._is_tls:
                client = smtplib.SMTP_SSL(
                    self._server, self._port, name, timeout=self._timeout_s, context=ssl.create_default_context()
                )
            else:
                client = smtplib.SMTP(self._server, self._port, name, timeout=self._timeout_s)
            self._greet(client)
            return client
        except (OSError, ValueError, Unavailable) as error:
            if client is not None:
                client.close()
            reason = str(error) if isinstance(error, Unavailable) else _reason(error)
            raise Unavailable(f"The mail server {self.describe()} cannot be used: {reason}", code="mail") from None

    def _greet(self, client: SMTP) -> None:
        client.ehlo_or_helo_if_needed()
        is_private = self._is_tls
        if not is_private and self._starttls != "off":
            if client.has_extn("starttls"):
                client.starttls(context=ssl.create_default_context())
                client.ehlo()
                is_private = True
            elif self._starttls == "required":
                raise Unavailable("It offers no STARTTLS.")
        if self._user:
            if not is_private and self._starttls != "off":
                raise Unavailable("It offers no STARTTLS, and the password is not sent without (starttls=off would).")
            client.login(self._user, self._password)

    def _send(self, client: SMTP, letter: Letter) -> None:
        import smtplib

        message = build_message(letter, self.sender, datetime.now().astimezone())
        try:
            client.send_message(message, self.sender.address, [letter.to])
        except smtplib.SMTPRecipientsRefused as error:
            code, answer = next(iter(error.recipients.values()))
            raise MailRefused(_answer(code, answer), is_final=code >= 500) from None
        except smtplib.SMTPSenderRefused as error:  # a setting's fault, which somebody may mend
            raise MailRefused(_answer(error.smtp_code, error.smtp_error), is_final=False) from None
        except smtplib.SMTPResponseException as error:
            raise MailRefused(_answer(error.smtp_code, error.smtp_error), is_final=error.smtp_code >= 500) from None
        except (smtplib.SMTPNotSupportedError, ValueError) as error:
            raise MailRefused(_reason(error), is_final=True) from None
        except OSError as error:  # SMTPException is one
            raise Unavailable(f"The connection to {self.describe()} broke: {_reason(error)}", code="mail") from None


def _answer(code: int, answer: bytes | str) -> str:
    text = answer.decode(errors="replace") if isinstance(answer, bytes) else answer
    return one_line(f"{code} {text}")[:MAX_REASON_CHARS]


def _reason(error: Exception) -> str:
    code, answer = getattr(error, "smtp_code", None), getattr(error, "smtp_error", b"")
    if code is not None:
        return _answer(code, answer)
    return one_line(str(error) or type(error).__name__)[:MAX_REASON_CHARS]


MAILER: Key[Mailer] = Key("base.mailer")


def send_test(mailer: Mailer, *, to: str, base_url: str) -> None:
    """Send a message that says that this hub sends e-mail, now. Raises MailRefused, Unavailable."""
    letter = Letter(
        to=to,
        subject="A test of the hub's e-mail",
        text=f"This hub sends e-mail:\n\n{base_url}\n",
        html=f'<!DOCTYPE html><html lang="en"><body><p>This hub sends e-mail: {base_url}</p></body></html>\n',
        message_id=mailer.message_id(f"test-{uuid4()}"),
    )
    with mailer.session() as send:
        send(letter)


def create_mailer(settings: Settings) -> Mailer:
    """The mailer that ``mail_url`` and ``mail_from`` ask for; nothing is connected to. Raises SettingsError."""
    host = urlsplit(settings.effective_base_url).hostname or "localhost"
    is_name = "." in host and ":" not in host and not host[-1].isdigit()
    sender = _parse_sender(settings.mail_from or f"hub@{host if is_name else 'localhost'}")
    try:
        url = urlsplit(settings.mail_url)
        port = url.port
    except ValueError:
        raise SettingsError("setting mail_url: it is no address") from None
    if url.scheme == "log":
        return LogMailer(sender)
    options = parse_qs(url.query)
    starttls = options.pop("starttls", ["auto"])[-1]
    is_known = url.scheme in _PORTS and not options and starttls in _STARTTLS
    if not is_known or not url.hostname or url.path not in ("", "/"):
        raise SettingsError(
            "setting mail_url: it must be log:, smtp://USER:PASSWORD@HOST:PORT (?starttls=auto, required or off) or "
            "smtps://USER:PASSWORD@HOST:PORT"
        )
    return SMTPMailer(
        sender,
        server=url.hostname,
        port=port or _PORTS[url.scheme],
        user=unquote(url.username or ""),
        password=unquote(url.password or ""),
        is_tls=url.scheme == "smtps",
        starttls=starttls,
    )


def _parse_sender(text: str) -> Sender:
    name, address = parseaddr(text)
    local, _, domain = address.rpartition("@")
    if not local or not domain or not text.isprintable() or " " in address:
        raise SettingsError("setting mail_from: it must be an address, such as Hub <hub@example.org>")
    return Sender(name, address)
