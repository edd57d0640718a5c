"""Certificates for https: those of the user, or some for any host name, signed by a CA that is created at the start."""

from __future__ import annotations

import contextlib
import os
import ssl
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from mockcampaign.errors import InvalidInputError

if TYPE_CHECKING:
    import trustme

CA_FILE_NAME = "mockcampaign-ca.pem"
CA_KEY_SUFFIX = ".key"
"""Ending of the name of the file with a CA's key, behind the name of the CA's file."""


class TlsOptions(msgspec.Struct, frozen=True, kw_only=True):
    """Which certificate a server presents, by its options of the same names."""

    tls: bool = False
    tls_ca_file: Path | None = None
    tls_certificate: Path | None = None
    tls_key: Path | None = None


def tls_files(
    options: TlsOptions,
    names: Iterable[str],
    names_option: str,
    stack: contextlib.ExitStack,
    keys: contextlib.ExitStack,
) -> tuple[tuple[str, str] | None, Path | None]:
    """Return certificate chain and key, or None without https, and the CA that clients must trust if it is ours.

    `names` are host names besides the local ones, given by `names_option`. A key of ours exists while `keys` is open,
    and the file of a CA that the user has not named while `stack` is. One with a name is used again at the next start,
    so that clients trust it once; its key is beside it. Raises `InvalidInputError`.
    """
    certificate, key = options.tls_certificate, options.tls_key
    if certificate is not None or key is not None:
        if certificate is None or key is None:
            missing = "--tls-certificate" if certificate is None else "--tls-key"
            raise InvalidInputError(f"{missing}: missing, allowed: both --tls-certificate and --tls-key, or neither")
        return (str(certificate), str(key)), None
    if not options.tls:
        return None, None
    ca_file = options.tls_ca_file
    is_kept = ca_file is not None
    if ca_file is None:
        try:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="mockcampaign-"))
        except OSError as error:
            raise InvalidInputError(
                f"--tls: no temporary folder for the CA that clients must trust ({error.strerror}), "
                "allowed: a folder in TMPDIR that can be written, or --tls-ca-file"
            ) from None
        ca_file = Path(folder) / CA_FILE_NAME
    ca_file = ca_file.absolute()
    every = list(dict.fromkeys(["localhost", "127.0.0.1", "::1", *names]))
    try:
        return keys.enter_context(certificate_files(every, ca_file, is_kept=is_kept)), ca_file
    except OSError as error:
        raise InvalidInputError(f"--tls-ca-file {ca_file}: cannot be written: {error.strerror}") from None
    except ValueError as error:
        raise InvalidInputError(f"{names_option}: no certificate can be made for it: {error}") from None


@contextlib.contextmanager
def certificate_files(names: list[str], ca_file: Path, *, is_kept: bool = False) -> Iterator[tuple[str, str]]:
    """Write the CA to trust to `ca_file`, and give the files of a certificate chain for these names and of its key.

    Where the system can, the certificate's key is never on a disk; elsewhere only the user may read its file, which is
    removed at the end. Close this as soon as they are loaded, so that a killed server leaves none behind. If it
    `is_kept`, the CA is used again if its file exists, and its own key is in a file that only the user may read.

    Raises `OSError`, `ValueError` for a name that no certificate can have, and `InvalidInputError` for a CA that cannot
    be used again.
    """
    # Imported late, because it brings a cryptography library that only this needs.
    import trustme

    key_file = Path(f"{ca_file}{CA_KEY_SUFFIX}")
    if is_kept and ca_file.exists():
        authority = _kept_authority(ca_file, key_file)
        issued = authority.issue_cert(*names)
    else:
        authority = trustme.CA()
        issued = authority.issue_cert(*names)
        if is_kept:
            key_file.unlink(missing_ok=True)  # others may read one that is left there
            with open(os.open(key_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(authority.private_key_pem.bytes())
        authority.cert_pem.write_to_path(str(ca_file))
    chain = b"".join(part.bytes() for part in issued.cert_chain_pems)
    with contextlib.ExitStack() as stack:
        yield _file(stack, chain), _file(stack, issued.private_key_pem.bytes())


def _kept_authority(ca_file: Path, key_file: Path) -> trustme.CA:
    import trustme

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        authority = trustme.CA.from_pem(ca_file.read_bytes(), key_file.read_bytes())
        # trustme would sign with the key of any other certificate, or in the name of a certificate that must not.
        context.load_cert_chain(ca_file, key_file)
        context.load_verify_locations(ca_file)
    except FileNotFoundError:
        why = f"its key {key_file.name} is missing"
    except (TypeError, ValueError):  # `TypeError` for an encrypted key
        why = f"it and {key_file.name} are no CA and its key in PEM format"
    except ssl.SSLError:
        why = f"{key_file.name} is the key of another certificate"
    else:
        if context.get_ca_certs():
            return authority
        why = "it is the certificate of no CA"
    raise InvalidInputError(f"--tls-ca-file {ca_file}: {why}, allowed: a new file, or a CA that this option wrote")


def _file(stack: contextlib.ExitStack, content: bytes) -> str:
    """Return the path of a file that exists while the stack is open: OpenSSL reads files only."""
    if hasattr(os, "memfd_create") and os.path.isdir("/proc/self/fd"):
        memory = stack.enter_context(os.fdopen(os.memfd_create("mockcampaign"), "wb"))
        memory.write(content)
        memory.flush()
        return f"/proc/self/fd/{memory.fileno()}"
    folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="mockcampaign-"))
    path = Path(folder) / "file.pem"
    path.touch(mode=0o600)
    path.write_bytes(content)
    return str(path)
