"""A self-signed certificate for 127.0.0.1, made by OpenSSL's own command."""
import pathlib
import ssl
import subprocess


class Certificate:
    """Files `certificate` and `key`, and the `context` of a client that trusts exactly this one."""

    def __init__(self, folder: pathlib.Path):
        self.certificate, self.key = folder / "certificate.pem", folder / "key.pem"
        subprocess.run(
            [
                "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                "-days", "2", "-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost",
                "-keyout", self.key, "-out", self.certificate,
            ],
            check=True,
            capture_output=True,
        )  # fmt: skip
        self.context = ssl.create_default_context(cafile=self.certificate)
