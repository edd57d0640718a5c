"""Types of fields in the vendor's responses."""

from __future__ import annotations

from typing import Annotated

import msgspec

Moment = Annotated[str, msgspec.Meta(extra_json_schema={"format": "date-time"})]
"""ISO 8601 in UTC."""
ResponseId = Annotated[int, msgspec.Meta(extra_json_schema={"format": "int64"})]
