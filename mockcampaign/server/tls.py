"""Certificates for any host name, signed by a CA that is created at the start of the server."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

import trustme

CA_FILE_NAME = "mockcampaign-ca.pem"


@contextlib.contextmanager
def certificate_files(names: list[str], ca_file: Path) -> Iterator[tuple[str, str]]:
    """Write the CA to trust to `ca_file`, and give the files of a certificate chain for these names and of its key.

    Where the system can, the key is never on a disk; elsewhere only the user may read its file, which is removed at the
    end. Close this as soon as they are loaded, so that a killed server leaves no key behind.

    Raises `OSError`, and `ValueError` for a name that no certificate can have.
    """
    authority = trustme.CA()
    issued = authority.issue_cert(*names)
    authority.cert_pem.write_to_path(str(ca_file))
    chain = b"".join(part.bytes() for part in issued.cert_chain_pems)
    with contextlib.ExitStack() as stack:
        yield _file(stack, chain), _file(stack, issued.private_key_pem.bytes())


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
