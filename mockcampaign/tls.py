"""Certificates for https: those of the user, or some for any host name, signed by a CA that is created at the start."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Iterable
from pathlib import Path

import msgspec

from mockcampaign.errors import InvalidInputError

CA_FILE_NAME = "mockcampaign-ca.pem"


class TlsOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Which certificate a server presents, by its options of the same names."""

    tls: bool = False
    tls_ca_file: Path | None = None
    tls_certificate: Path | None = None
    tls_key: Path | None = None


def tls_files(
    options: TlsOptions, names: Iterable[str], names_option: str, stack: contextlib.ExitStack
) -> tuple[tuple[str, str] | None, Path | None]:
    """Return certificate chain and key, or None without https, and the CA that clients must trust if it is ours.

    `names` are host names besides the local ones, given by `names_option`. Closing `stack` removes the files that only
    this server needs. Raises `InvalidInputError`.
    """
    certificate, key = options.tls_certificate, options.tls_key
    if certificate is not None or key is not None:
        if certificate is None or key is None:
            missing = "--tls-certificate" if certificate is None else "--tls-key"
            raise InvalidInputError(f"{missing}: missing, allowed: both --tls-certificate and --tls-key, or neither")
        return (str(certificate), str(key)), None
    if not options.tls:
        return None, None
    folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mockcampaign-")))
    ca_file = (options.tls_ca_file or folder / CA_FILE_NAME).absolute()
    every = list(dict.fromkeys(["localhost", "127.0.0.1", "::1", *names]))
    try:
        return make_certificate(every, folder, ca_file), ca_file
    except OSError as error:
        raise InvalidInputError(f"--tls-ca-file {ca_file}: cannot be written: {error.strerror}") from None
    except ValueError as error:
        raise InvalidInputError(f"{names_option}: no certificate can be made for it: {error}") from None


def make_certificate(names: list[str], folder: Path, ca_file: Path) -> tuple[str, str]:
    """Write a certificate for these names and its key into `folder`, and the CA to trust to `ca_file`.

    Returns the files of the certificate chain and of the key, which only the user may read. Raises `OSError`, or
    `ValueError` for a text that is no name.
    """
    # Imported late, because it brings a cryptography library that only this needs.
    import trustme

    authority = trustme.CA()
    issued = authority.issue_cert(*names)
    chain, key = folder / "chain.pem", folder / "key.pem"
    key.touch(mode=0o600)
    issued.private_key_pem.write_to_path(str(key))
    chain.write_bytes(b"".join(part.bytes() for part in issued.cert_chain_pems))
    authority.cert_pem.write_to_path(str(ca_file))
    return str(chain), str(key)
