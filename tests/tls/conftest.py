"""A Herd with a certificate, and an authority that signs those of servers and of clients."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from harness.herd import Serve
from harness.postgres import Postgres
from harness.process import give_to_server_user


@dataclass(frozen=True)
class Authority:
    """Makes keys and certificates with the openssl command."""

    directory: Path

    @property
    def certificate(self) -> Path:
        return self.directory / "authority.crt"

    def found(self) -> None:
        self._openssl("req", "-x509", *self._new_key("authority"), "-subj", "/CN=authority", "-days", "2", "-out", "authority.crt")

    def sign(self, name: str) -> tuple[Path, Path]:
        """A certificate for `name` and its key."""
        self._openssl("req", *self._new_key(name), "-subj", f"/CN={name}", "-out", f"{name}.csr")
        (self.directory / f"{name}.ext").write_text("subjectAltName = DNS:localhost, IP:127.0.0.1\n")
        signing = ("-CA", "authority.crt", "-CAkey", "authority.key", "-CAcreateserial", "-days", "2")
        self._openssl("x509", "-req", "-in", f"{name}.csr", *signing, "-extfile", f"{name}.ext", "-out", f"{name}.crt")
        return self.directory / f"{name}.crt", self.directory / f"{name}.key"

    def _new_key(self, name: str) -> tuple[str, ...]:
        return ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", f"{name}.key")

    def _openssl(self, *arguments: str) -> None:
        subprocess.run(["openssl", *arguments], cwd=self.directory, check=True, capture_output=True)


@pytest.fixture(scope="session")
def authority(scratch: Path) -> Authority:
    made = Authority(scratch / "tls")
    made.directory.mkdir()
    give_to_server_user(made.directory)
    made.found()
    return made


@pytest.fixture(scope="module")
def start_with_tls(authority: Authority, start_herd: Callable[[str], Serve]) -> Callable[[str], Serve]:
    certificate, key = authority.sign("server")

    def start(settings: str = "") -> Serve:
        return start_herd(f'[tls]\ncertificate = "{certificate}"\nkey = "{key}"\n{settings}')

    return start


@pytest.fixture(scope="module")
def encrypted_node(scratch: Path, authority: Authority) -> Iterator[Postgres]:
    """A PostgreSQL that lets nobody in without TLS."""
    directory = scratch / "encrypted-node-files"
    directory.mkdir()
    certificate, key = (Path(shutil.copy(path, directory)) for path in authority.sign("node"))
    rules = directory / "pg_hba.conf"
    rules.write_text("hostssl all all 127.0.0.1/32 scram-sha-256\n")
    for path in (directory, certificate, key, rules):
        give_to_server_user(path)
        path.chmod(0o700 if path == directory else 0o600)
    settings = {"ssl": "on", "ssl_cert_file": str(certificate), "ssl_key_file": str(key), "hba_file": str(rules)}
    with Postgres(scratch / "encrypted-node", settings) as postgres:
        yield postgres
