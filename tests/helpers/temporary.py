"""Where many small files are written quickly."""

from __future__ import annotations

from pathlib import Path

MEMORY = next((folder for folder in ("/dev/shm",) if Path(folder).is_dir()), None)
"""Parent of temporary folders in memory: a database of SQLite waits for the disk as it opens and closes."""
