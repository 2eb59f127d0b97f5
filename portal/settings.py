"""Settings from the environment; docs/operations/configuration.md lists them."""

from __future__ import annotations

import os
from pathlib import Path

from portal.database.connection import Connection
from portal.env import (
    boolean,
    different,
    env,
    networks,
    one_of,
    secret,
    secret_if_set,
)
from portal.http.api.schema_settings import SCHEMA_SETTINGS
from portal.logs.formats import JSON, TEXT, log_everything, logging_settings
from portal.single_sign_on import openid_connect

BASE_DIR = Path(__file__).resolve().parent.parent

DEBUG = boolean("DEBUG", default=False)
SECRET_KEY = secret("SECRET_KEY")
ALLOWED_HOSTS = env.list("ALLOWED_HOSTS", default=[])
CSRF_TRUSTED_ORIGINS = env.list("CSRF_TRUSTED_ORIGINS", default=[])

BERTH_ENCRYPTION_KEYS = secret("BERTH_ENCRYPTION_KEYS")
BERTH_HMAC_KEYS = secret("BERTH_HMAC_KEYS")
# Registry tokens: the edge refuses to start without these. Portal and worker use the
# key for their own requests to the private registry.
BERTH_TOKEN_SIGNING_KEY = secret_if_set("BERTH_TOKEN_SIGNING_KEY")
BERTH_TOKEN_ROOTS = secret_if_set("BERTH_TOKEN_ROOTS")
BERTH_PROXY_SERVICE = env.str("BERTH_PROXY_SERVICE", default="berth-proxy")
BERTH_REGISTRY_SERVICE = env.str("BERTH_REGISTRY_SERVICE", default="berth-registry")
# Otherwise the proxy's tokens, which live longer, would open the private registry.
different(
    BERTH_PROXY_SERVICE=BERTH_PROXY_SERVICE,
    BERTH_REGISTRY_SERVICE=BERTH_REGISTRY_SERVICE,
)
# The URL of the portal; license files contain it for installers.
BERTH_PORTAL_URL = env.str(
    "BERTH_PORTAL_URL",
    default=next((origin for origin in CSRF_TRUSTED_ORIGINS if "*" not in origin), ""),
)
BERTH_PROXY_HOST = env.str("BERTH_PROXY_HOST", default="")
BERTH_REGISTRY_HOST = env.str("BERTH_REGISTRY_HOST", default="")
# Where Berth itself reaches the private registry, without the reverse proxy.
BERTH_REGISTRY_URL = env.str("BERTH_REGISTRY_URL", default="")
# The private registry authenticates its notifications with this.
BERTH_REGISTRY_NOTIFICATION_TOKEN = secret_if_set("BERTH_REGISTRY_NOTIFICATION_TOKEN")
# The same for all replicas of the private registry; write_registry_config reads it.
BERTH_REGISTRY_UPLOAD_SECRET = secret_if_set("BERTH_REGISTRY_UPLOAD_SECRET")
# Berth as an issuer of identity tokens that clouds trust instead of a secret.
BERTH_ISSUER_URL = env.str("BERTH_ISSUER_URL", default="")
BERTH_IDENTITY_KEYS = secret_if_set("BERTH_IDENTITY_KEYS")
# Signs license files; without it there are none.
BERTH_LICENSE_ROOT_KEY = secret_if_set("BERTH_LICENSE_ROOT_KEY")
BERTH_ALLOWED_PRIVATE_NETWORKS = networks("BERTH_ALLOWED_PRIVATE_NETWORKS")
BERTH_INSECURE_REGISTRIES = env.list("BERTH_INSECURE_REGISTRIES", default=[])
BERTH_INSECURE_WEBHOOKS = env.list("BERTH_INSECURE_WEBHOOKS", default=[])
BERTH_TRUSTED_PROXIES = networks("BERTH_TRUSTED_PROXIES")
BERTH_UPSTREAM_CONNECT_SECONDS = env.float("BERTH_UPSTREAM_CONNECT_SECONDS", default=10)
BERTH_UPSTREAM_READ_SECONDS = env.float("BERTH_UPSTREAM_READ_SECONDS", default=30)
BERTH_MAX_BLOB_BYTES = env.int("BERTH_MAX_BLOB_BYTES", default=64 * 2**30)
BERTH_CHECK_SECONDS = env.int("BERTH_CHECK_SECONDS", default=900)
BERTH_CHECKS_PER_HOST = env.int("BERTH_CHECKS_PER_HOST", default=4)
BERTH_CHECKS_PER_TEAM = env.int("BERTH_CHECKS_PER_TEAM", default=25)
BERTH_WEBHOOKS_PER_TEAM = env.int("BERTH_WEBHOOKS_PER_TEAM", default=10)
BERTH_WEBHOOKS_PER_HOST = env.int("BERTH_WEBHOOKS_PER_HOST", default=20)
BERTH_TOKEN_REQUESTS_PER_MINUTE = env.int(
    "BERTH_TOKEN_REQUESTS_PER_MINUTE", default=12_000
)
BERTH_WAITING_REQUESTS = env.int("BERTH_WAITING_REQUESTS", default=4)
BERTH_WAITING_REQUESTS_PER_TEAM = env.int("BERTH_WAITING_REQUESTS_PER_TEAM", default=2)
BERTH_BUFFER_BYTES = env.int("BERTH_BUFFER_BYTES", default=64 * 2**20)
BERTH_BUFFER_BYTES_PER_LOGIN = env.int(
    "BERTH_BUFFER_BYTES_PER_LOGIN", default=16 * 2**20
)
BERTH_EDGE_CONNECTIONS = env.int("BERTH_EDGE_CONNECTIONS", default=2_000)
BERTH_EDGE_DOWNLOADS = env.int("BERTH_EDGE_DOWNLOADS", default=1_500)
BERTH_EDGE_DOWNLOADS_PER_LOGIN = env.int(
    "BERTH_EDGE_DOWNLOADS_PER_LOGIN", default=1_000
)
BERTH_CACHE_DIR = env.str("BERTH_CACHE_DIR", default="")
BERTH_CACHE_BYTES = env.int("BERTH_CACHE_BYTES", default=50 * 2**30)
BERTH_CACHE_MIN_FREE_BYTES = env.int("BERTH_CACHE_MIN_FREE_BYTES", default=2**30)
BERTH_CACHE_INACTIVE_SECONDS = env.int("BERTH_CACHE_INACTIVE_SECONDS", default=604_800)
BERTH_CACHE_NGINX_BYTES = env.int("BERTH_CACHE_NGINX_BYTES", default=512 * 2**20)
BERTH_STALE_TAG_SECONDS = env.int("BERTH_STALE_TAG_SECONDS", default=3600)
BERTH_PULL_LOG = env.str("BERTH_PULL_LOG", default="")
BERTH_INSTALLER_WHEEL = env.str("BERTH_INSTALLER_WHEEL", default="")
BERTH_DRAIN_SECONDS = env.float("BERTH_DRAIN_SECONDS", default=0)
BERTH_RUN_DIR = env.str("BERTH_RUN_DIR", default="")
BERTH_METRICS_TOKEN = secret_if_set("BERTH_METRICS_TOKEN")
BERTH_TOKEN_FAILURES_PER_MINUTE = env.int("BERTH_TOKEN_FAILURES_PER_MINUTE", default=30)

INSTALLED_APPS = [
    "django.contrib.admin",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "django.contrib.postgres",
    "allauth",
    "allauth.account",
    "allauth.socialaccount",
    "allauth.socialaccount.providers.openid_connect",
    "allauth.mfa",
    "django_htmx",
    "heroicons",
    "pgtrigger",
    "rest_framework",
    "django_filters",
    "drf_spectacular",
    "portal",
    "audit",
    "teams",
    "alerts",
    "licenses",
    "registries",
    "images",
    "edge",
    "customers",
]

MIDDLEWARE = [
    "portal.http.middleware.request_origin_middleware",
    "portal.http.middleware.database_deadline_middleware",
    "portal.http.middleware.probe_middleware",
    "django.middleware.security.SecurityMiddleware",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "portal.http.middleware.compression_middleware",
    "portal.http.middleware.security_headers_middleware",
    "portal.http.middleware.refusal_middleware",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "portal.http.error_pages.not_allowed_middleware",
]

ROOT_URLCONF = "portal.urls"
WSGI_APPLICATION = "portal.wsgi.application"
APPEND_SLASH = False

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "portal.http.pages.page_context",
                "teams.web.base.team_context",
                "alerts.web.alerts.alerts_context",
                "customers.web.base.customer_context",
            ],
            "builtins": ["portal.http.display.template_tags", "customers.web.tags"],
        },
    },
]

DATABASE_URL = secret("DATABASE_URL")
_database = env.db_url_config(DATABASE_URL)
_database["ENGINE"] = "portal.database"
DATABASE_PGBOUNCER = boolean("DATABASE_PGBOUNCER", default=False)
# They live in a session, and PgBouncer ends those with each transaction.
_database["DISABLE_SERVER_SIDE_CURSORS"] = DATABASE_PGBOUNCER
_database["CONN_MAX_AGE"] = 0
_database["CONN_HEALTH_CHECKS"] = True
_database["OPTIONS"] = {
    # A lost server is noticed in seconds, not after the kernel's minutes.
    "connect_timeout": 5,
    "tcp_user_timeout": 10_000,
    **_database.get("OPTIONS", {}),
    # A wrong address is reported in seconds, not after the pool's half minute.
    "pool": {
        "min_size": 1,
        "max_size": env.int("DATABASE_POOL_SIZE", default=16),
        "timeout": 5,
        # Gives up soon, so that the next request reconnects at once, however long
        # the server was unavailable.
        "reconnect_timeout": 1,
        "connection_class": Connection,
    },
}
DATABASES = {"default": _database}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

REDIS_URL = secret("REDIS_URL")
CACHES = {
    "default": {
        "BACKEND": "portal.http.redis_cache.ForgivingRedisCache",
        "LOCATION": REDIS_URL,
        "KEY_PREFIX": "berth",
        # A request waits at most a second for Redis: half of it for a free connection.
        "OPTIONS": {
            "pool_class": "portal.http.redis_cache.SharedPool",
            "max_connections": 8,
            "timeout": 0.5,
            "socket_timeout": 0.5,
            "socket_connect_timeout": 0.5,
        },
    },
    # Used by this process while Redis is unavailable or slow.
    "local": {
        "BACKEND": "django.core.cache.backends.locmem.LocMemCache",
        "OPTIONS": {"MAX_ENTRIES": 10_000},
    },
}

CELERY_BROKER_URL = REDIS_URL
CELERY_TASK_IGNORE_RESULT = True
# Work is stored in the database, and beat starts the tasks regularly, so a lost message
# only delays it. If the broker fails while a message is unacknowledged, the worker dies
# (kombu restores the message over the lost connection). Therefore a message is
# acknowledged at once, and none is prefetched.
CELERY_TASK_ACKS_LATE = False
CELERY_WORKER_DISABLE_PREFETCH = True
CELERY_TASK_TIME_LIMIT = 300
# Celery's own default is the number of the machine's processors.
CELERY_WORKER_CONCURRENCY = env.int("BERTH_WORKER_PROCESSES", default=4)
CELERY_BEAT_SCHEDULER = "portal.background.schedule:SharedScheduler"
# Lets the worker use LOGGING below, which redacts secrets.
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
# A portal request that queues work must not hang while the broker is unavailable.
CELERY_BROKER_TRANSPORT_OPTIONS = {"socket_timeout": 5, "socket_connect_timeout": 5}
CELERY_TASK_PUBLISH_RETRY = False

AUTH_USER_MODEL = "teams.User"
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": f"django.contrib.auth.password_validation.{name}"}
    for name in (
        "UserAttributeSimilarityValidator",
        "MinimumLengthValidator",
        "CommonPasswordValidator",
        "NumericPasswordValidator",
    )
]
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]

AUTHENTICATION_BACKENDS = ["teams.sign_in.backend.AccountBackend"]
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"

globals().update(
    env.email_url_config(secret_if_set("EMAIL_URL") or "smtp://localhost:25")
)
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env.str("DEFAULT_FROM_EMAIL", default="Berth <berth@localhost>")

ACCOUNT_ADAPTER = "teams.sign_in.accounts.AccountAdapter"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_CHANGE_EMAIL = True
# An invitation proves an address; a changed address is verified.
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_EMAIL_NOTIFICATIONS = True
ACCOUNT_EMAIL_UNKNOWN_ACCOUNTS = False
ACCOUNT_REAUTHENTICATION_REQUIRED = True
ACCOUNT_SESSION_REMEMBER = True
ACCOUNT_LOGOUT_REDIRECT_URL = LOGIN_URL
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_RATE_LIMITS = {
    # By address, never by account: strangers must not lock anybody out.
    "login": f"{BERTH_TOKEN_FAILURES_PER_MINUTE}/m/ip",
    "login_failed": f"{BERTH_TOKEN_FAILURES_PER_MINUTE}/m/ip",
    # By address of the account too, so that nobody's mailbox is filled.
    "request_login_code": f"{BERTH_TOKEN_FAILURES_PER_MINUTE}/m/ip,3/m/key",
    # By account: only people who know the password are asked for a code.
    "second_factor": "5/5m/key",
    # Only signed-in people send these; above the limit, a mail is silently dropped.
    "confirm_email": "5/m/key",
}
# Of people who are in no team, such as customers' contacts.
ACCOUNT_LOGIN_BY_CODE_ENABLED = True
ACCOUNT_LOGIN_BY_CODE_TIMEOUT = 600
ACCOUNT_FORMS = {
    "request_login_code": "customers.web.account_forms.RequestCodeForm",
    "confirm_login_code": "customers.web.account_forms.EnterCodeForm",
    "login": "teams.web.account_forms.LoginForm",
    "reset_password": "teams.web.account_forms.ResetPasswordForm",
    "reset_password_from_key": "teams.web.account_forms.ResetPasswordKeyForm",
    "change_password": "teams.web.account_forms.ChangePasswordForm",
    "set_password": "teams.web.account_forms.SetPasswordForm",
    "add_email": "teams.web.account_forms.AddEmailForm",
    "reauthenticate": "teams.web.account_forms.ReauthenticateForm",
}
MFA_FORMS = {
    "authenticate": "teams.web.account_forms.AuthenticateForm",
    "reauthenticate": "teams.web.account_forms.ReauthenticateCodeForm",
    "activate_totp": "teams.web.account_forms.ActivateTOTPForm",
    "add_webauthn": "teams.web.account_forms.AddWebAuthnForm",
    "edit_webauthn": "teams.web.account_forms.EditWebAuthnForm",
}
MFA_ADAPTER = "teams.sign_in.accounts.SecondFactorAdapter"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_ALLOW_UNVERIFIED_EMAIL = True  # see ACCOUNT_EMAIL_VERIFICATION
MFA_TOTP_ISSUER = "Berth"

BERTH_OIDC_ISSUER = env.str("BERTH_OIDC_ISSUER", default="")
SOCIALACCOUNT_ADAPTER = "teams.sign_in.single_sign_on.SingleSignOnAdapter"
SOCIALACCOUNT_PROVIDERS = (
    openid_connect(
        name=env.str("BERTH_OIDC_NAME", default="single sign-on"),
        issuer=BERTH_OIDC_ISSUER,
        client_id=env.str("BERTH_OIDC_CLIENT_ID"),
        client_secret=secret("BERTH_OIDC_CLIENT_SECRET"),
    )
    if BERTH_OIDC_ISSUER
    else {}
)
SOCIALACCOUNT_EMAIL_AUTHENTICATION = True
SOCIALACCOUNT_EMAIL_AUTHENTICATION_AUTO_CONNECT = True

SESSION_ENGINE = "teams.sign_in.sessions"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = boolean(
    "SECURE_COOKIES", default=not DEBUG
)
# Browsers allow passkeys on http://localhost, the only plain HTTP that is used.
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = not SESSION_COOKIE_SECURE
SECURE_SSL_REDIRECT = boolean("SECURE_SSL_REDIRECT", default=False)
SECURE_HSTS_SECONDS = env.int("SECURE_HSTS_SECONDS", default=0)
SECURE_REFERRER_POLICY = "same-origin"
X_FRAME_OPTIONS = "DENY"

LANGUAGE_CODE = "en"
TIME_ZONE = "UTC"
USE_TZ = True

STATIC_URL = "static/"
STATIC_ROOT = Path(env.str("STATIC_ROOT", default=str(BASE_DIR / "static-collected")))
STATICFILES_DIRS = [BASE_DIR / "static"]
STATICFILES_FINDERS = [
    "django.contrib.staticfiles.finders.FileSystemFinder",
    "django.contrib.staticfiles.finders.AppDirectoriesFinder",
    "portal.http.static_files.NodeFilesFinder",
]
# Built from docs/guide by `make guide`; the portal serves it under /help/.
BERTH_GUIDE_DIR = Path(
    env.str("BERTH_GUIDE_DIR", default="") or BASE_DIR / "guide-built"
)
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {"BACKEND": "portal.http.static_files.StaticFiles"},
}
# Without a collected tree, as in tests, files are served from their sources.
WHITENOISE_USE_FINDERS = WHITENOISE_AUTOREFRESH = not STATIC_ROOT.is_dir()
WHITENOISE_KEEP_ONLY_HASHED_FILES = True

DATA_UPLOAD_MAX_MEMORY_SIZE = 1024 * 1024

FILTERS_EMPTY_CHOICE_LABEL = "All"
REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "teams.api.authentication.ApiTokenAuthentication",
        "teams.api.authentication.TeamSessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["portal.http.api.parsers.StrictJSONParser"],
    "DEFAULT_PAGINATION_CLASS": "portal.http.api.pagination.CursorPages",
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_SCHEMA_CLASS": "portal.http.api.schema.BerthSchema",
    "EXCEPTION_HANDLER": "portal.http.errors.problem_response",
    "UNAUTHENTICATED_USER": None,
    "URL_FORMAT_OVERRIDE": None,
}
SPECTACULAR_SETTINGS = SCHEMA_SETTINGS

LOGGING = logging_settings(os.environ.get("LOG_LEVEL", "INFO"))
BERTH_TRACING = boolean("BERTH_TRACING", default=False)
BERTH_LOG_FORMAT = one_of("BERTH_LOG_FORMAT", TEXT, JSON)
if BERTH_LOG_FORMAT == JSON:
    log_everything(LOGGING)
