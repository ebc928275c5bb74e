"""Django settings, made from `mainspring.web.configure` at run time; there is no file to edit."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from mainspring.apps.loading import configs
from mainspring.web.configure import current
from mainspring.web.database import database

_web = current()

DEBUG = _web.debug
SECRET_KEY = _web.secret_key.get_secret_value()
SECRET_KEY_FALLBACKS = [key.get_secret_value() for key in _web.secret_key_previous]
ALLOWED_HOSTS = list(_web.allowed_hosts)
DATABASES: dict[str, dict[str, Any]] = {"default": database(_web.database_url)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
INSTALLED_APPS = [
    "django.contrib.contenttypes",
    "django.contrib.auth",
    "django.contrib.sessions",
    "axes",
    "mainspring.web.accounts.apps.Accounts",
    "allauth.mfa",
    "allauth.socialaccount",
    "mainspring.records.apps.Records",
    *configs(_web.apps, _web.apps_folder),
]
ROOT_URLCONF = "mainspring.web.urls"
MIDDLEWARE = [
    "mainspring.web.security.headers",
    "mainspring.web.middleware.Sessions",
    "mainspring.web.middleware.Forgery",
    "mainspring.web.security.identify",
]
TEMPLATES: list[dict[str, Any]] = []
USE_TZ = True
TIME_ZONE = "UTC"
USE_I18N = False
APPEND_SLASH = False
# Larger requests are refused by the ASGI application before Django sees them.
DATA_UPLOAD_MAX_MEMORY_SIZE = _web.request_bytes_max
FILE_UPLOAD_MAX_MEMORY_SIZE = _web.request_bytes_max
FILE_UPLOAD_HANDLERS: list[str] = []

AUTH_USER_MODEL = "records.User"
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "mainspring.records.people.sign_in.TenantBackend"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS: list[dict[str, Any]] = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
    {
        "NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ("username", "display_name")},
    },
]

SESSION_ENGINE = "mainspring.records.people.session_store"
SESSION_COOKIE_AGE = _web.session_hours * 3600
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Strict"
SESSION_COOKIE_SECURE = _web.https
CSRF_COOKIE_SAMESITE = "Strict"
CSRF_COOKIE_SECURE = _web.https
CSRF_FAILURE_VIEW = "mainspring.web.faults.csrf_failed"
CSRF_TRUSTED_ORIGINS = list(_web.trusted_origins)

AXES_FAILURE_LIMIT = _web.sign_in_failures_max
AXES_COOLOFF_TIME = timedelta(minutes=_web.lock_out_minutes)
AXES_CLIENT_IP_CALLABLE = "mainspring.records.people.sign_in.counted_for"
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_RESET_ON_SUCCESS = True
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False
AXES_DISABLE_ACCESS_LOG = True  # the audit has it
AXES_ENABLE_ADMIN = False
AXES_VERBOSE = False

ACCOUNT_ADAPTER = "mainspring.web.accounts.adapters.AccountAdapter"
ACCOUNT_USER_MODEL_EMAIL_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "none"
# Codes of one person in five minutes, from wherever they come: six digits are guessed from many addresses.
ACCOUNT_RATE_LIMITS = {"login_failed": f"{_web.sign_in_failures_max}/300s/key"}
ACCOUNT_REAUTHENTICATION_TIMEOUT = 300
MFA_ADAPTER = "mainspring.web.accounts.adapters.SecondFactorAdapter"
MFA_SUPPORTED_TYPES = ["totp", "recovery_codes", "webauthn"]
MFA_TOTP_TOLERANCE = 1
MFA_RECOVERY_CODE_DIGITS = 10
SECOND_FACTOR = str(_web.second_factor)
# Codes that were used and attempts are counted for all web processes together.
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "records_cache",
        "OPTIONS": {"MAX_ENTRIES": 10_000},
    }
}

# auth.W004: names are unique within a tenant, and our backend looks there.
# axes.W002: the lock-out is answered by the session API, in the error form of all others.
SILENCED_SYSTEM_CHECKS = ["auth.W004", "axes.W002"]
LOGGING_CONFIG = None  # roles configure logging, for all rooms alike
