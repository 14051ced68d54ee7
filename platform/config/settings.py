"""All settings, in one file. What differs between machines comes from `GRADLAB_…` variables; see `.env.example`."""

from __future__ import annotations

from pathlib import Path

from csp.constants import NONE, SELF

from config import env, logs

BASE_DIR = Path(__file__).resolve().parents[2]
DATA_DIR = Path(env.text("DATA_DIR") or BASE_DIR / "var")
FILES_DIR = DATA_DIR / "files"
FILES_CACHE_DIR = DATA_DIR / "cache" / "files"
LABS_DIR = DATA_DIR / "labs"

# What kind of installation this is. A demo has seeded people, a shifted clock and a key that is no secret.
DEBUG = env.flag("DEBUG", default=False)
DEMO = env.flag("DEMO", default=False)
DEFAULT_SECRET_KEY = "not-a-secret-for-development-and-demos-only-0000000000000000"  # noqa: S105 - a check refuses it in production
SECRET_KEY = env.secret("SECRET_KEY", DEFAULT_SECRET_KEY)
CLOCK_OFFSET = env.clock_offset()

ALLOWED_HOSTS = env.items("ALLOWED_HOSTS", "localhost,127.0.0.1,[::1]")
CSRF_TRUSTED_ORIGINS = env.items("TRUSTED_ORIGINS")
INTERNAL_IPS = ["127.0.0.1"]
ROOT_URLCONF = "config.urls"
ASGI_APPLICATION = "config.asgi.application"

INSTALLED_APPS = [
    "accounts",
    "audit",
    "courses",
    "assignments",
    "submissions",
    "grading",
    "reviews",
    "readings",
    "projects",
    "attendance",
    "gradebook",
    "exchange",
    "lti",
    "web",
    "config",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "whitenoise.runserver_nostatic",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
    "csp",
    "django_htmx",
    "template_partials",
    "lucide",
]

MIDDLEWARE = [
    "config.middleware.Arrival",
    "django.middleware.security.SecurityMiddleware",
    "config.middleware.RequestSizeLimit",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "config.middleware.PermissionsPolicy",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "config.middleware.MethodNotAllowedPage",
]

TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": True,
        "OPTIONS": {
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "web.context.shell",
            ],
        },
    },
]

# Data
DATABASE_POOL = env.integer("DATABASE_POOL", 0)
DATABASES = {
    "default": env.database(env.secret("DATABASE_URL"), embedded=DATA_DIR / "db.sqlite3", pool=DATABASE_POOL),
}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
REDIS_URL = env.secret("REDIS_URL")
# A cache in Redis is shared by all processes; without a Redis each process keeps its own.
CACHE_KIND = env.text("CACHE", "redis" if REDIS_URL else "memory")
CACHES = {
    "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": REDIS_URL}
    if CACHE_KIND == "redis"
    else {"BACKEND": "django.core.cache.backends.locmem.LocMemCache"}
}

# Submitted files lie in FILES_DIR, or in this bucket of an S3-compatible store, which several hosts can share.
S3_BUCKET = env.text("S3_BUCKET")
S3_PREFIX = env.text("S3_PREFIX", "files")
S3_OPTIONS = {
    "endpoint_url": env.text("S3_ENDPOINT") or None,
    "region_name": env.text("S3_REGION") or None,
    "access_key": env.secret("S3_ACCESS_KEY") or None,
    "secret_key": env.secret("S3_SECRET_KEY") or None,
}
# Models whose field `sha256` names a stored file: what they name is kept, and copied by backups.
FILES_NAMED_BY = ("submissions.SubmittedFile", "projects.PagePicture")
UNUSED_FILES_KEPT_S = env.integer("UNUSED_FILES_KEPT_S", 7 * 24 * 3600)
PRUNE_EVERY_S = 3600

# People
AUTH_USER_MODEL = "accounts.User"
LOGIN_URL = "sign-in"
LOGIN_REDIRECT_URL = "home"
LOGOUT_REDIRECT_URL = "sign-in"
PASSWORD_HASHERS = [
    "django.contrib.auth.hashers.Argon2PasswordHasher",
    "django.contrib.auth.hashers.PBKDF2PasswordHasher",
]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
SIGN_IN_FAILURES = 10
SIGN_IN_WINDOW_S = 300
PASSWORD_ASKS = 200  # links to set a password that one network asks for within that time: a lecture hall is one
PASSWORD_RESET_TIMEOUT = (
    7 * 86_400
)  # how long a mailed link sets a password, once; new people may be away for some days
# Codes of a check-in in class, by person and by network address; attendance/codes.py counts what guessing brings.
CHECK_IN_TRIES = 10
CHECK_IN_ADDRESS_TRIES = 1000
CHECK_IN_WINDOW_S = 300

# Receipts are signed with the key and checked against the old ones, too. The address stands in receipts and mails.
RECEIPT_KEY = env.secret("RECEIPT_KEY")
RECEIPT_OLD_KEYS = env.secrets("RECEIPT_OLD_KEYS")
RECEIPT_CHECKS = 30
RECEIPT_CHECKS_WINDOW_S = 300
SITE_URL = (env.text("SITE_URL") or next(iter(CSRF_TRUSTED_ORIGINS), "http://localhost:8000")).rstrip("/")

# Mail of receipts: the sweeper sends it, so that no submission waits for it.
RECEIPT_MAIL = env.flag("RECEIPT_MAIL", default=True)
RECEIPT_MAIL_TRIES = 8
RECEIPT_MAIL_RETRY_S = 120

# How long a release of scores can be undone; its mails, sent by the sweeper, go out after that.
RELEASE_UNDO_S = env.integer("RELEASE_UNDO_S", 15 * 60)
RELEASE_MAIL_TRIES = 8
RELEASE_MAIL_RETRY_S = 120

# Mail. The pages say all that a mail says; without a server, mails are printed where the site runs.
MAIL = env.mail(env.secret("MAIL_URL"))
EMAIL_BACKEND = MAIL.backend
EMAIL_HOST, EMAIL_PORT = MAIL.host, MAIL.port
EMAIL_HOST_USER, EMAIL_HOST_PASSWORD = MAIL.user, MAIL.password
EMAIL_USE_SSL, EMAIL_USE_TLS = MAIL.ssl, MAIL.starttls
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env.text("MAIL_FROM", "Gradlab <gradlab@localhost>")

# Looking up a paper's data by arXiv id or DOI: `off`, `web` (arXiv and Crossref), or a class by its dotted name
PAPER_LOOKUP = env.text("PAPER_LOOKUP", "off" if DEMO else "web")
PAPER_LOOKUP_TIMEOUT_S = env.integer("PAPER_LOOKUP_TIMEOUT_S", 5)
PAPER_LOOKUP_MAX_BYTES = 512 * 1024

# LTI 1.3. Our private key as PEM; empty: one is made below the data directory. Scores that a platform does not take are tried again.
LTI_KEY = env.secret("LTI_KEY").replace("\\n", "\n")
LTI_SCORE_TRIES = 8
LTI_SCORE_RETRY_S = 60

# Language, time and numbers
LANGUAGE_CODE = "en-us"
USE_I18N = False
USE_TZ = True
TIME_ZONE = env.text("TIME_ZONE", "America/Chicago")

# Static files
STATIC_URL = "/static/"
STATIC_ROOT = DATA_DIR / "static"
HASHED_STATIC = env.flag("HASHED_STATIC", default=not DEBUG)
WHITENOISE_USE_FINDERS = not HASHED_STATIC
WHITENOISE_AUTOREFRESH = DEBUG
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"
        if HASHED_STATIC
        else "django.contrib.staticfiles.storage.StaticFilesStorage"
    },
}

# What a request may bring. The request cap answers 413 before the body is read; the rest are Django's own limits.
REQUEST_MAX_BYTES = 32 * 1024 * 1024
DATA_UPLOAD_MAX_MEMORY_SIZE = 8 * 1024 * 1024  # the editor's text
DATA_UPLOAD_MAX_NUMBER_FIELDS = 2000
DATA_UPLOAD_MAX_NUMBER_FILES = 20
FILE_UPLOAD_MAX_MEMORY_SIZE = 2 * 1024 * 1024

# Security headers and cookies. HTTPS is the production default; a demo on localhost speaks plain HTTP.
HTTPS = env.flag("HTTPS", default=not (DEBUG or DEMO))
SECURE_SSL_REDIRECT = HTTPS
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if env.flag("BEHIND_PROXY", default=False) else None
SECURE_HSTS_SECONDS = 31_536_000 if HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = HTTPS
SECURE_HSTS_PRELOAD = HTTPS
SECURE_REDIRECT_EXEMPT = ["^healthz$"]
SECURE_REFERRER_POLICY = "same-origin"
SECURE_CROSS_ORIGIN_OPENER_POLICY = "same-origin"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = HTTPS
SESSION_COOKIE_HTTPONLY = CSRF_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = CSRF_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_NAME = "gradlab_session"
CSRF_COOKIE_NAME = "gradlab_csrf"
CSRF_FAILURE_VIEW = "web.views.errors.csrf_failure"
X_FRAME_OPTIONS = "DENY"
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "object-src": [NONE],
        "base-uri": [NONE],
        "form-action": [SELF],
        "frame-ancestors": [NONE],
    },
}

# Grading. A lease is how long a silent worker keeps a job; the sweeper gives it to another one afterwards.
SANDBOX = env.text("SANDBOX", "bubblewrap")
ALLOW_APPROXIMATE_LIMITS = env.flag("ALLOW_APPROXIMATE_LIMITS", default=False)
# a worker serves the lane `gpu`, so a lab for any device is published with its GPU checks and their points
GPU_LABS = env.flag("GPU_LABS", default=False)
GRADING_LEASE_S = env.integer("GRADING_LEASE_S", 60)
GRADING_HEARTBEAT_S = env.integer("GRADING_HEARTBEAT_S", 3)
GRADING_REDISPATCH_S = env.integer("GRADING_REDISPATCH_S", 60)
GRADING_MAX_CLAIMS = 3
GRADING_MAX_FAULTS = 2
GRADING_RETRY_S = env.integer("GRADING_RETRY_S", 60)
GRADING_MAX_WAITING = 5
PRACTICE_RUNS_KEPT = 20
SWEEP_EVERY_S = env.integer("SWEEP_EVERY_S", 15)

# Reviews. How long a grader keeps a submission that is open for reading; the page renews it.
REVIEW_LEASE_S = env.integer("REVIEW_LEASE_S", 600)

# What the sweeper does at each turn beside its own work: names of functions, since they live in apps above grading.
SWEEP_ALSO = (
    "reviews.similar.services.search_due",
    "reviews.releases.mail.mail_due_releases",
    "accounts.passwords.mail.mail_due_links",
    "projects.format.sweep.drive_checks",
    "projects.format.sweep.forget_old_pictures",
    "lti.passback.sending.send_due_scores",
    "reviews.boards.proofs.drive_proofs",
)

# Format checks of PDFs. No heartbeat renews their lease: it is longer than the grader's own limits for one PDF.
FORMAT_LEASE_S = 120
FORMAT_REDISPATCH_S = 60
FORMAT_MAX_CLAIMS = 3
FORMAT_MAX_FAULTS = 2
# pictures of pages of a PDF for which another one was handed in: kept for so long
FORMAT_PICTURES_KEPT_S = env.integer("FORMAT_PICTURES_KEPT_S", 30 * 24 * 3600)

# Readings. So many of an assignment's submissions are read by two graders, chosen by a keyed hash.
SECOND_READING_SHARE = env.integer("SECOND_READING_PERCENT", 10) / 100

# Workers. A canary is a lab's reference solution, graded by a worker to prove that worker; 0 means none.
CANARY_MINUTES = env.integer("CANARY_MINUTES", 10)
CANARY_RETRY_S = 60
CANARIES_KEPT_S = 2 * 24 * 3600
WORKERS_KEPT_S = 7 * 24 * 3600
WORKER_HEARTBEAT_S = 5
WORKER_SILENT_S = 30
# Whoever brings this token may read /metrics; without one there is no such page.
METRICS_TOKEN = env.secret("METRICS_TOKEN")

# Celery only carries ids; the database decides (lease and fence), so a message may be lost or come twice.
GRADING_MAX_JOB_S = env.integer("GRADING_MAX_JOB_S", 900)
VISIBILITY_TIMEOUT_S = env.integer("VISIBILITY_TIMEOUT_S", 2 * (GRADING_MAX_JOB_S + 60) + 300)
CLOCK_SKEW_MAX_S = 3
CELERY_BROKER_URL = REDIS_URL.replace("unix://", "redis+socket://", 1)
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_TIMEOUT = 2
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": VISIBILITY_TIMEOUT_S,
    "socket_keepalive": True,
    "health_check_interval": 25,
    "socket_timeout": 30,
    "socket_connect_timeout": 2,
    # the web process must not wait for a broker that is away: the sweeper will send the message
    "max_retries": 1,
    "interval_start": 0,
    "interval_step": 0.2,
}
CELERY_TASK_PUBLISH_RETRY = False
CELERY_TASK_SERIALIZER = "json"
CELERY_RESULT_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = True
CELERY_TASK_REJECT_ON_WORKER_LOST = False
CELERY_TASK_ACKS_ON_FAILURE_OR_TIMEOUT = True
# No soft limit: its exception would end up in the check that runs, and that check is a student's.
CELERY_TASK_TIME_LIMIT = GRADING_MAX_JOB_S + 60
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_WORKER_CANCEL_LONG_RUNNING_TASKS_ON_CONNECTION_LOSS = True
CELERY_WORKER_SOFT_SHUTDOWN_TIMEOUT = 30
CELERY_WORKER_MAX_TASKS_PER_CHILD = 50
CELERY_WORKER_HIJACK_ROOT_LOGGER = False
CELERY_TASK_DEFAULT_QUEUE = "grading"
CELERY_TIMEZONE = "UTC"

LOGGING_CONFIG = None
logs.configure(json_lines=not (DEBUG or DEMO), level=env.text("LOG_LEVEL", "INFO"))
