"""What numbered histories are on every Python."""

from __future__ import annotations

HISTORIES_HASH = "c702297e4bc1bb522cdb977bc0d5888d4740384f265cbda34a2c88095192a6a8"
JOURNAL_HASHES = {
    (1, 18): "59e609ffd782670f400be8ba6ee7de8dd611363247aab46d882ed78e92226f15",
    (2, 7): "b9b1164134e579aceb273a82306a374ca80d2ccfd74b5f55ce064b52ca825e8d",
    (2, 17): "4a0787fa2354558e1bd81743855f80b11cf3639c51b5409b076784d0671418a0",
    (3, 290): "90dfdfd98b2eb927714d7c70b6de48e77b1d5d22f92429bdcfbe21c85daa23e8",
    (7, 500): "6d36619da63f76f3daf72141362cfed089e45f7e367639e10fe667963a092b35",
}
"""Fingerprints of journals by seed and number of the history, recorded on Python 3.11 and equal on 3.12 to 3.14."""
