"""Django settings, made from Mainspring's configuration."""

SECRET_KEY = "types-only"  # noqa: S105
INSTALLED_APPS = ["django.contrib.contenttypes", "django.contrib.auth"]
