"""The ways out: what each address means, TLS that is verified, and a folder that nobody leaves."""

import ssl
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path

import pytest
from aiosmtpd.controller import Controller
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from mailer import folders
from mailer.failures import ServerAway
from mailer.folders import FolderTransport
from mailer.transport import SmtpServer, SmtpTransport, open_transport
from tests.mailer.conftest import Server


def a_mail(message_id: str = "<abc@rattache.example>", subject: str = "Bonjour") -> EmailMessage:
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = "a@rattache.example", "lea@demo.example", subject
    mail["Date"], mail["Message-ID"] = "Tue, 24 Nov 2026 13:05:00 +0000", message_id
    mail.set_content("Bonjour")
    return mail


def always() -> bool:
    """The mail may be finished."""
    return True


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtp://mail.example", SmtpServer("smtp", "mail.example", 25)),
        ("smtps://u%40x:p%2F@mail.example", SmtpServer("smtps", "mail.example", 465, "u@x", "p/")),
        ("smtp+starttls://mail.example", SmtpServer("smtp+starttls", "mail.example", 587)),
        ("smtp+starttls://u:p@[::1]:2525", SmtpServer("smtp+starttls", "::1", 2525, "u", "p")),
    ],
)
def test_operator_names_a_server_by_its_address(url: str, server: SmtpServer) -> None:
    assert SmtpServer.parse(url) == server
    assert "p/" not in repr(SmtpServer.parse(url))


@pytest.mark.parametrize("url", ["http://mail.example", "smtp://", "mail.example:25", "smtp://mail.example:port"])
def test_operator_is_told_of_an_address_that_cannot_be_read(url: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"SMTP_URL|[Pp]ort"):
        open_transport(url, tmp_path)


def test_folder_stands_in_where_no_server_is_named(tmp_path: Path) -> None:
    assert isinstance(open_transport(None, tmp_path), FolderTransport)


async def test_server_that_answers_passes_the_check(smtp: Server) -> None:
    await SmtpTransport(SmtpServer("smtp", "127.0.0.1", smtp.port)).check()


async def test_check_of_a_server_that_is_away_fails(unused_tcp_port: int) -> None:
    with pytest.raises(ServerAway):
        await SmtpTransport(SmtpServer("smtp", "127.0.0.1", unused_tcp_port)).check()


async def test_server_that_offers_no_encryption_gets_nothing_when_it_is_required(smtp: Server) -> None:
    transport = SmtpTransport(SmtpServer("smtp+starttls", "127.0.0.1", smtp.port))
    with pytest.raises(ServerAway):
        await transport.send(a_mail(), always)
    assert smtp.taken == []


@pytest.fixture
def certificate(tmp_path: Path) -> Path:
    """A key and a certificate for `localhost` that only those who are given it trust."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "localhost")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = tmp_path / "localhost.pem"
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    file.write_bytes(key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain) + made.public_bytes(pem))
    return file


async def test_mail_goes_encrypted_to_a_server_that_is_trusted_and_to_no_other(
    certificate: Path, unused_tcp_port: int
) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate)
    server = Server()
    controller = Controller(
        server, hostname="127.0.0.1", port=unused_tcp_port, tls_context=context, require_starttls=True
    )
    controller.start()
    try:
        where = SmtpServer("smtp+starttls", "localhost", unused_tcp_port)
        trusting = SmtpTransport(where, ssl.create_default_context(cafile=str(certificate)))
        await trusting.send(a_mail(), always)
        await trusting.close()
        with pytest.raises(ServerAway, match=r"certificate|CERTIFICATE"):
            await SmtpTransport(where).send(a_mail(), always)
    finally:
        controller.stop()
    assert [mail["Message-ID"] for mail in server.taken] == ["<abc@rattache.example>"]


async def test_mail_sent_again_overwrites_its_file(tmp_path: Path) -> None:
    folder = FolderTransport(tmp_path / "mails")
    await folder.check()
    await folder.send(a_mail(), always)
    await folder.send(a_mail(subject="Encore"), always)
    await folder.send(a_mail("<../../evil@rattache.example>"), always)
    names = sorted(line.name for line in folders.letters(tmp_path / "mails"))
    assert names == ["_.._evil@rattache.example.eml", "abc@rattache.example.eml"]
    assert [file.name for file in tmp_path.iterdir()] == ["mails"]
    opened = folders.letter(tmp_path / "mails", "abc@rattache.example.eml")
    assert opened is not None
    assert opened["Subject"] == "Encore"


@pytest.mark.parametrize("name", ["../secret.eml", "/etc/passwd", ".hidden.eml", "absent.eml", "", "a\x00.eml"])
def test_reader_of_the_folder_never_leaves_it(tmp_path: Path, name: str) -> None:
    (tmp_path / "secret.eml").write_text("secret")
    (tmp_path / "mails").mkdir()
    (tmp_path / "mails" / ".hidden.eml").write_text("half written")
    assert folders.letter(tmp_path / "mails", name) is None
