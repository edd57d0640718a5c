"""Certificates for any host name, signed by a CA that is created at the start of the server."""

from __future__ import annotations

from pathlib import Path

import trustme

CA_FILE_NAME = "mockcampaign-ca.pem"


def make_certificate(names: list[str], folder: Path, ca_file: Path) -> tuple[str, str]:
    """Write a certificate for these names and its key into `folder`, and the CA to trust to `ca_file`.

    Returns the files of the certificate chain and of the key, which only the user may read. Raises `OSError`.
    """
    authority = trustme.CA()
    issued = authority.issue_cert(*names)
    chain, key = folder / "chain.pem", folder / "key.pem"
    key.touch(mode=0o600)
    issued.private_key_pem.write_to_path(str(key))
    chain.write_bytes(b"".join(part.bytes() for part in issued.cert_chain_pems))
    authority.cert_pem.write_to_path(str(ca_file))
    return str(chain), str(key)
