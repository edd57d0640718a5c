import hashlib
import json
from collections import Counter

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from django_hook.models import Event


@csrf_exempt
@require_POST
@transaction.atomic
def hook(request: HttpRequest) -> HttpResponse:
    times = Counter()
    for payload in json.loads(request.body):
        key = hashlib.sha256(json.dumps(payload, sort_keys=True).encode()).hexdigest()
        times[key] += 1
        Event.objects.get_or_create(key=key, number=times[key], defaults={"payload": payload})
    return HttpResponse(status=200)


urlpatterns = [path("hook", hook)]
