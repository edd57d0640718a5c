from django.db import models


class Event(models.Model):
    """One event. Events have no id, so equal events of a batch are numbered."""

    payload = models.JSONField()
    key = models.CharField(max_length=64)
    number = models.IntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["key", "number"], name="once")]  # noqa: RUF012
