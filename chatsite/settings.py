"""Settings, read from the environment and from a `.env` file beside manage.py; docs/configuration.md lists them all."""

import os
import re
from pathlib import Path
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured
from django.utils.csp import CSP

from chatsite.installation.environment import Environment
from chatsite.installation.packages import require
from chatsite.installation.private_files import OTHERS
from chatsite.installation.secret import read_or_create_secret
from chatsite.installation.temporary_files import create_temporary_folder
from chatsite.installation.uploads import read_uploads_url
from chatsite.installation.urls import require_redis_url, split_url
from chatsite.logs.configuration import build_logging
from chatsite.mail.mailers import read_mailers, read_sender, read_timeout

BASE_DIR = Path(__file__).resolve().parent.parent

env = Environment()
env.read_env(BASE_DIR / ".env")

DEBUG = env.bool("DEBUG", default=False)

# The installation writes only here: database, uploads, secrets, collected static files. Only its owner can read them.
os.umask(OTHERS)
DATA_DIR = Path(env.str("DATA_DIR", default=str(BASE_DIR / "var"))).resolve()
DATA_DIR.mkdir(parents=True, exist_ok=True)
create_temporary_folder(DATA_DIR)

# ---------------------------------------------------------------- where it is served

HOST = env.str("HOST", default="127.0.0.1")
PORT = env.int("PORT", default=8000)
HTTPS = env.bool("HTTPS", default=False)
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=["localhost", "127.0.0.1", "[::1]"])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])

# A reverse proxy that ends TLS sets X-Forwarded-Proto, and must remove it from requests of clients. We trust only the
# last entry of X-Forwarded-For, which the proxy adds: any client can write the others.
BEHIND_PROXY = env.bool("BEHIND_PROXY", default=False)
ALLAUTH_TRUSTED_PROXY_COUNT = 1 if BEHIND_PROXY else 0
if BEHIND_PROXY:
    SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https")

# What somebody may do who has not signed in. The server refuses more before it takes it in.
STRANGER_BODY_SIZE = int(env.float("STRANGER_BODY_SIZE", default=0.1) * 1_000_000)
CONNECTIONS_PER_ADDRESS = env.int("CONNECTIONS_PER_ADDRESS", default=200)
CONNECTIONS_OF_STRANGERS = env.int("CONNECTIONS_OF_STRANGERS", default=1000)

# Seconds in which the headers of a request have to arrive, and between two checks of the pace of its body.
REQUEST_TIMEOUT = env.float("REQUEST_TIMEOUT", default=20)

# Seconds that running replies get to finish on shutdown.
SHUTDOWN_GRACE = env.float("SHUTDOWN_GRACE", default=10)

SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = SECURE_SSL_REDIRECT = HTTPS
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = HTTPS
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_AGE = env.int("SESSION_COOKIE_AGE", default=60 * 60 * 24 * 30)
CSRF_FAILURE_VIEW = "accounts.views.csrf_failure"
X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
# Without TLS, browsers ignore this header and log a warning about it on every page.
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin" if HTTPS else None

DEFAULT_EXCEPTION_REPORTER_FILTER = "chatsite.failures.debug_pages.SettingsFilter"

SECURE_CSP = {
    "default-src": [CSP.NONE],
    "script-src": [CSP.SELF, CSP.NONCE],
    "style-src": [CSP.SELF],
    "img-src": [CSP.SELF, "data:", "blob:"],
    "font-src": [CSP.SELF],
    "connect-src": [CSP.SELF],
    "manifest-src": [CSP.SELF],
    "form-action": [CSP.SELF],
    "base-uri": [CSP.NONE],
    "frame-ancestors": [CSP.NONE],
}

# ---------------------------------------------------------------- secrets

SECRET_KEY = env.str("SECRET_KEY", default="") or read_or_create_secret(DATA_DIR / "secret_key")
SECRET_KEY_FALLBACKS = env.list("SECRET_KEY_FALLBACKS", default=[])
# Seals upstream keys in the database. Separate from SECRET_KEY, so rotating that does not lose them.
SEALING_KEY = env.str("SEALING_KEY", default="") or read_or_create_secret(DATA_DIR / "sealing_key")
SEALING_KEY_FALLBACKS = env.list("SEALING_KEY_FALLBACKS", default=[])

# ---------------------------------------------------------------- the application

INSTALLED_APPS = [
    "daphne",
    "servestatic",
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.humanize",
    "django.contrib.staticfiles",
    "allauth",
    "allauth.account",
    "django_htmx",
    "channels",
    "chatsite",
    "accounts",
    "upstreams",
    "ledger",
    "tools",
    "conversations",
    "gateway",
]

MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "chatsite.serving.pages.StaticFiles",
    "django.middleware.csp.ContentSecurityPolicyMiddleware",
    "chatsite.serving.middleware.StorableTextMiddleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "accounts.middleware.SignInInPlaceMiddleware",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]

ROOT_URLCONF = "chatsite.urls"
ASGI_APPLICATION = "chatsite.asgi.application"

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.template.context_processors.csp",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "accounts.theme.theme",
            ],
            "builtins": ["chatsite.templatetags.icons", "chatsite.templatetags.figures"],
        },
    },
]

# ---------------------------------------------------------------- where things are kept

DATABASE_URL = env.str("DATABASE_URL", default="") or f"sqlite:///{DATA_DIR / 'db.sqlite3'}"
if split_url("DATABASE_URL", DATABASE_URL).scheme not in env.DB_SCHEMES:
    raise ImproperlyConfigured("DATABASE_URL must name an SQLite or a PostgreSQL database.")
DATABASES = {"default": env.db_url_config(DATABASE_URL)}
DATABASE_CONNECTIONS = env.int("DATABASE_CONNECTIONS", default=20)
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
if DATABASES["default"]["ENGINE"] == "django.db.backends.sqlite3":
    DATABASES["default"] |= {
        "ENGINE": "chatsite.sqlite",
        # Threads keep their connections (threads.py).
        "CONN_MAX_AGE": 600,
        "OPTIONS": {
            "transaction_mode": "IMMEDIATE",
            "timeout": 10,
            "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA cache_size=-4000",
        },
    }
elif DATABASES["default"]["ENGINE"] == "django.db.backends.postgresql":
    require("DATABASE_URL", "psycopg", "psycopg_pool")
    if not DATABASES["default"]["NAME"]:
        raise ImproperlyConfigured("DATABASE_URL must name a database: postgres://user:password@host/name")
    from chatsite.connection_pool import configure_pool

    DATABASES["default"] |= {"CONN_MAX_AGE": 0, "CONN_HEALTH_CHECKS": True}
    DATABASES["default"].setdefault("OPTIONS", {})["pool"] = configure_pool(DATABASE_CONNECTIONS)
else:
    raise ImproperlyConfigured("DATABASE_URL must name an SQLite or a PostgreSQL database.")

REDIS_URL = env.str("REDIS_URL", default="")
if REDIS_URL:
    require("REDIS_URL", "redis")
    require_redis_url(REDIS_URL)
# Not in Redis, because Django unpickles what it reads there: anybody who can write to Redis could run code here.
CACHES = {"default": {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}}

# Whether `serve` writes answers. Without, processes of `work` do, and the bus brings them to the pages.
SERVE_ANSWERS = env.bool("SERVE_ANSWERS", default=True)
if not SERVE_ANSWERS and not (REDIS_URL and DATABASES["default"]["ENGINE"].endswith("postgresql")):
    raise ImproperlyConfigured("SERVE_ANSWERS=false needs processes of `work`, on PostgreSQL and with REDIS_URL.")

TASKS = {"default": {"BACKEND": "chatsite.process.tasks.EventLoopBackend"}}

STATIC_URL = "static/"
STATIC_ROOT = DATA_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
_UPLOADS, MEDIA_ROOT = read_uploads_url(env.str("UPLOADS_URL", default=""), DATA_DIR / "uploads")
STORAGES = {
    "default": _UPLOADS,
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if DEBUG
        else "chatsite.installation.storage.StaticFilesStorage"
    },
}
# Pages name files by their hashes alone, so nothing else is copied and compressed at the first start.
SERVESTATIC_KEEP_ONLY_HASHED_FILES = True
SERVESTATIC_AUTOREFRESH = SERVESTATIC_USE_FINDERS = DEBUG
MEDIA_URL = "/media-is-served-by-no-address/"
FILE_UPLOAD_PERMISSIONS = 0o600
FILE_UPLOAD_DIRECTORY_PERMISSIONS = 0o700

# Days in which deleted conversations and messages can be restored.
DELETED_DAYS = env.float("DELETED_DAYS", default=30)

# ---------------------------------------------------------------- attachments

# Files of any size go to disk as they arrive, so twenty uploads at once take no more memory than one.
FILE_UPLOAD_HANDLERS = [
    "conversations.upload_handlers.UploadGuard",
    "django.core.files.uploadhandler.TemporaryFileUploadHandler",
]
ATTACHMENT_SIZE = int(env.float("ATTACHMENT_SIZE", default=20) * 1_000_000)
ATTACHMENT_TEXT_SIZE = int(env.float("ATTACHMENT_TEXT_SIZE", default=0.5) * 1_000_000)
ATTACHMENT_PIXELS = int(env.float("ATTACHMENT_PIXELS", default=50) * 1_000_000)
ATTACHMENT_PAGES = env.int("ATTACHMENT_PAGES", default=100)
ATTACHMENTS_PER_MESSAGE = env.int("ATTACHMENTS_PER_MESSAGE", default=10)
ATTACHMENTS_PER_PERSON = int(env.float("ATTACHMENTS_PER_PERSON", default=2000) * 1_000_000)
# Allows a megabyte per file for its part headers, and one for the text.
_ALL_FILES = ATTACHMENTS_PER_MESSAGE * (ATTACHMENT_SIZE + 1_000_000) + 1_000_000
REQUEST_SIZE = int(env.float("REQUEST_SIZE", default=_ALL_FILES / 1_000_000) * 1_000_000)
# Request bodies that may be on their way or in use at the same time.
UPLOADS_AT_ONCE = int(env.float("UPLOADS_AT_ONCE", default=2000) * 1_000_000)
UPLOADS_PER_PERSON = int(env.float("UPLOADS_PER_PERSON", default=500) * 1_000_000)
ATTACHMENT_DRAFT_DAYS = env.int("ATTACHMENT_DRAFT_DAYS", default=7)

# ---------------------------------------------------------------- people

AUTH_USER_MODEL = "accounts.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {
        "NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ["username", "name", "email"]},
    },
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "django.contrib.auth.password_validation.NumericPasswordValidator"},
]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
LOGOUT_REDIRECT_URL = "account_login"
ACCOUNT_LOGIN_METHODS = {"username"}
ACCOUNT_SIGNUP_FIELDS = ["username*", "password1*", "password2*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_ADAPTER = "accounts.adapter.AccountAdapter"
ACCOUNT_FORMS = {"login": "accounts.forms.SignInForm", "change_password": "accounts.forms.PasswordChangeForm"}
# accounts/throttling.py has limits that cannot shut out the person whose name somebody tries.
ACCOUNT_RATE_LIMITS = False
SUPERUSER_USERNAME = env.str("DJANGO_SUPERUSER_USERNAME", default="")
SUPERUSER_PASSWORD = env.str("DJANGO_SUPERUSER_PASSWORD", default="")
SUPERUSER_EMAIL = env.str("DJANGO_SUPERUSER_EMAIL", default="")

# ---------------------------------------------------------------- mail

MAILERS = read_mailers(env.str("EMAIL_URL", default=""), read_timeout(env.str("EMAIL_TIMEOUT", default="10")))
SILENCED_SYSTEM_CHECKS = ["mail.W001"]  # A site without mail is complete.
DEFAULT_FROM_EMAIL = SERVER_EMAIL = read_sender(env.str("EMAIL_FROM", default=""), MAILERS, ALLOWED_HOSTS)

# ---------------------------------------------------------------- upstreams named in the environment

ANTHROPIC_API_KEY = env.str("ANTHROPIC_API_KEY", default="")
ANTHROPIC_BASE_URL = env.str("ANTHROPIC_BASE_URL", default="")
OPENAI_API_KEY = env.str("OPENAI_API_KEY", default="")
OPENAI_BASE_URL = env.str("OPENAI_BASE_URL", default="")

DEMO_UPSTREAM_URL = f"http://{'127.0.0.1' if HOST in ('0.0.0.0', '::', '') else HOST}:{PORT}/demo-upstream"  # noqa: S104

# Whether requests name the person who asks, by a pseudonym.
SEND_PSEUDONYMS = env.bool("SEND_PSEUDONYMS", default=True)

# ---------------------------------------------------------------- the interface for programs

# The largest request, in megabytes. Requests include images.
GATEWAY_BODY_SIZE = int(env.float("GATEWAY_BODY_SIZE", default=32) * 1_000_000)

# ---------------------------------------------------------------- tools

# Time limit of a tool call, in seconds, unless its server or tool has its own.
TOOL_CALL_TIMEOUT = env.float("TOOL_CALL_TIMEOUT", default=60)

# Most tool rounds per answer. After the last one, the model must answer with what it knows.
TOOL_ROUNDS = env.int("TOOL_ROUNDS", default=25)

# ---------------------------------------------------------------- money

# The currency of prices, costs and budgets: an ISO 4217 code.
CURRENCY = env.str("CURRENCY", default="USD").strip().upper()
if not re.fullmatch("[A-Z]{3}", CURRENCY):
    raise ImproperlyConfigured("CURRENCY must be an ISO 4217 code of three letters, such as USD or EUR")

# ---------------------------------------------------------------- live updates

# Tabs of one person that get live updates. With more, the one that has been silent for longest stops.
TABS_PER_PERSON = env.int("TABS_PER_PERSON", default=100)

# ---------------------------------------------------------------- language, time, logs

LANGUAGE_CODE = "en"
TIME_ZONE = env.str("TIME_ZONE", default="UTC")
USE_I18N = False
USE_TZ = True

# Prometheus has to send this token as a bearer. Without one, only private addresses can read /metrics.
METRICS_TOKEN = env.str("METRICS_TOKEN", default="")

LOGGING_CONFIG = "chatsite.logs.configuration.configure_logging"
LOGGING = build_logging(env.str("LOG_LEVEL", default="WARNING"), env.str("LOG_FORMAT", default="text"))

for name, url in {"ANTHROPIC_BASE_URL": ANTHROPIC_BASE_URL, "OPENAI_BASE_URL": OPENAI_BASE_URL}.items():
    if url and urlsplit(url).scheme not in ("http", "https"):
        raise ImproperlyConfigured(f"{name} must begin with http:// or https://")
