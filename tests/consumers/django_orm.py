"""Django in one file with its ORM and SQLite; as WSGI for gunicorn's processes, and as ASGI."""

from __future__ import annotations

import base64
import binascii
import functools
import json
import os
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import django
from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.db import connection, models, transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest
from django.urls import path
from django.utils.crypto import constant_time_compare
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST

if not settings.configured:
    settings.configure(
        ALLOWED_HOSTS=["*"],
        ROOT_URLCONF=__name__,
        SECRET_KEY="of a test",
        USE_TZ=True,
        LOGGING_CONFIG=None,
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.sqlite3",
                "NAME": os.environ["CONSUMER_STORE"],
                "OPTIONS": {
                    "timeout": 30,
                    "transaction_mode": "IMMEDIATE",
                    "init_command": "PRAGMA journal_mode=WAL",
                },
            }
        },
    )
    django.setup()


class ProcessedEvent(models.Model):
    payload = models.TextField()
    number = models.IntegerField()

    class Meta:
        app_label = "consumer"
        managed = False


def basic_auth_required(view: Callable[[HttpRequest], HttpResponse]) -> Callable[[HttpRequest], HttpResponse]:
    @functools.wraps(view)
    def wrapped(request: HttpRequest) -> HttpResponse:
        scheme, _, encoded = request.headers.get("Authorization", "").partition(" ")
        try:
            given = base64.b64decode(encoded).decode()
        except (binascii.Error, ValueError):
            given = ""
        wanted = f"{os.environ['CONSUMER_USER']}:{os.environ['CONSUMER_PASSWORD']}"
        if scheme.lower() == "basic" and constant_time_compare(given, wanted):
            return view(request)
        return HttpResponse(status=401, headers={"WWW-Authenticate": 'Basic realm="hook"'})

    return wrapped


def body_of(request: HttpRequest) -> bytes:
    # As WSGI has no length for a chunked body, Django takes it for empty; gunicorn marks its end.
    if request.META.get("HTTP_TRANSFER_ENCODING", "").lower() == "chunked" and "wsgi.input" in request.META:
        body: bytes = request.META["wsgi.input"].read(settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
        return body
    return request.body


@csrf_exempt
@require_POST
@basic_auth_required
def hook(request: HttpRequest) -> HttpResponse:
    try:
        events = json.loads(body_of(request))
    except (ValueError, RecursionError):
        return HttpResponseBadRequest("not JSON")
    except RequestDataTooBig:
        return HttpResponse(status=413)
    if not isinstance(events, list) or not all(isinstance(event, dict) for event in events):
        return HttpResponseBadRequest("not a list of events")
    numbers: Counter[str] = Counter()
    rows = []
    for event in events:
        payload = json.dumps(event, sort_keys=True)
        numbers[payload] += 1
        rows.append(ProcessedEvent(payload=payload, number=numbers[payload]))
    with transaction.atomic():
        ProcessedEvent.objects.bulk_create(rows, ignore_conflicts=True)
    return HttpResponse()


@require_GET
def processed(request: HttpRequest) -> HttpResponse:
    # Joined by SQLite, with commas.
    joined = models.Aggregate("payload", function="GROUP_CONCAT", output_field=models.TextField())
    payloads = ProcessedEvent.objects.aggregate(joined=joined)["joined"]
    return HttpResponse(f"[{payloads or ''}]", content_type="application/json")


urlpatterns = [path("hook", hook), path("processed", processed)]


def make_table() -> None:
    """Where there is none yet; a whole project would have a migration."""
    with connection.cursor() as cursor:
        cursor.execute(
            "CREATE TABLE IF NOT EXISTS consumer_processedevent ("
            "id INTEGER PRIMARY KEY AUTOINCREMENT, payload TEXT NOT NULL, number INTEGER NOT NULL, "
            "UNIQUE (payload, number))"
        )
    connection.close()


def wsgi(**_: Any) -> WSGIHandler:
    """For gunicorn."""
    make_table()
    return WSGIHandler()


def asgi(**_: Any) -> ASGIHandler:
    """For uvicorn, which calls it in its event loop."""
    with ThreadPoolExecutor() as threads:
        threads.submit(make_table).result()
    return ASGIHandler()
