"""The server's certificate: made once, kept to itself, known by its fingerprint."""

import hashlib
import shutil
import socket
import ssl
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography import x509

from blitz.errors import ConfigError
from blitz.io.certificate import own_certificate, private_certificate


def test_a_private_certificate_is_made_once_and_its_key_is_the_owners_alone(tmp_path: Path) -> None:
    made = private_certificate(tmp_path / "data")
    assert made.is_private
    assert made.key.stat().st_mode & 0o777 == 0o600
    assert made.key.parent.stat().st_mode & 0o777 == 0o700
    assert private_certificate(tmp_path / "data") == made
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["tls"]


def test_the_fingerprint_is_that_of_the_certificate_a_client_sees(tmp_path: Path) -> None:
    made = private_certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(made.certificate, made.key)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            connection, _ = listener.accept()
            with context.wrap_socket(connection, server_side=True) as tls:
                tls.recv(1)

        thread = threading.Thread(target=serve)
        thread.start()
        trusting = ssl.create_default_context(cafile=str(made.certificate))
        with (
            socket.create_connection(listener.getsockname()) as connection,
            trusting.wrap_socket(connection, server_hostname="localhost") as tls,
        ):
            shown = tls.getpeercert(binary_form=True)
            assert shown is not None
            assert hashlib.sha256(shown).hexdigest() == made.fingerprint
            assert tls.version() in ("TLSv1.2", "TLSv1.3")
            tls.send(b"x")
        thread.join(10)


def test_the_certificate_has_the_servers_names_and_no_end_in_sight(tmp_path: Path) -> None:
    made = private_certificate(tmp_path, ["Lab-Pi.local", "10.0.0.7", "0.0.0.0", "pi", "bücher.example", "fd00::7"])
    certificate = x509.load_pem_x509_certificate(made.certificate.read_bytes())
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    dns = names.get_values_for_type(x509.DNSName)
    assert {"localhost", socket.gethostname().lower(), "lab-pi.local", "pi"} == set(dns)
    addresses = {str(address) for address in names.get_values_for_type(x509.IPAddress)}
    assert addresses == {"127.0.0.1", "::1", "10.0.0.7", "fd00::7"}
    assert certificate.not_valid_before_utc.year == 2020
    assert certificate.not_valid_after_utc.year == 9999
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_programs_that_start_at_one_time_get_one_certificate(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        made = set(pool.map(lambda _: private_certificate(tmp_path), range(16)))
    assert len(made) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["tls"]


def test_what_a_crash_left_half_done_is_not_taken(tmp_path: Path) -> None:
    (tmp_path / "tls.half").mkdir()
    (tmp_path / "tls.half" / "key.pem").write_bytes(b"")
    assert private_certificate(tmp_path).fingerprint


def test_a_key_that_others_could_read_is_closed_again(tmp_path: Path) -> None:
    made = private_certificate(tmp_path)
    made.key.chmod(0o644)
    private_certificate(tmp_path)
    assert made.key.stat().st_mode & 0o777 == 0o600


def test_a_damaged_certificate_is_told_and_not_replaced(tmp_path: Path) -> None:
    made = private_certificate(tmp_path)
    made.certificate.write_text("-----BEGIN NONSENSE-----")
    with pytest.raises(ConfigError, match="cannot be used"):
        private_certificate(tmp_path)
    made.certificate.unlink()
    with pytest.raises(ConfigError, match="no such file"):
        private_certificate(tmp_path)


def test_own_files_are_checked(tmp_path: Path) -> None:
    one, other = private_certificate(tmp_path / "one"), private_certificate(tmp_path / "other")
    both = tmp_path / "both.pem"
    both.write_bytes(one.certificate.read_bytes() + one.key.read_bytes())
    assert own_certificate(one.certificate, one.key).fingerprint == one.fingerprint
    assert own_certificate(both, None) == (both, both, one.fingerprint, False)
    with pytest.raises(ConfigError, match="belong together"):
        own_certificate(one.certificate, other.key)
    with pytest.raises(ConfigError, match=r"missing\.pem does not exist"):
        own_certificate(one.certificate, tmp_path / "missing.pem")


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl here to make such a key")
def test_a_key_with_a_password_is_refused_and_nobody_is_asked_for_it(tmp_path: Path) -> None:
    made = private_certificate(tmp_path)
    locked = tmp_path / "locked.pem"
    command = ["openssl", "pkey", "-in", made.key, "-out", locked, "-aes256", "-passout", "pass:secret"]
    subprocess.run(command, check=True, capture_output=True)
    with pytest.raises(ConfigError, match="without a password"):
        own_certificate(made.certificate, locked)


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigError, match="Cannot make or read the server's certificate"):
        private_certificate(tmp_path / "file")


def test_looking_at_roles_needs_no_cryptography() -> None:
    """Only the server has the package."""
    code = "import sys, blitz.io.certificate; sys.exit('cryptography' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
