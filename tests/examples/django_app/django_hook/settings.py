SECRET_KEY = "for tests"
INSTALLED_APPS = ["django_hook"]
DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
ROOT_URLCONF = "django_hook.urls"
WSGI_APPLICATION = "django_hook.wsgi.application"
STATIC_URL = "static/"  # wanted by the live server
