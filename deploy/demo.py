"""`make demo`: the seeded course on this machine, until Ctrl-C.

Everything it writes lies in var/demo; delete the folder to start afresh.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from deploy.sample import submit_sample
from deploy.stack import ROOT, Stack, StackError

# Two days and four hours before Lab 1 is due: the seeded offering is alive.
DEMO_NOW = datetime.fromisoformat("2026-02-18T19:41:00-06:00")
DOMAIN = "demo.gradlab.example"
SAMPLE_STUDENT = f"victor@{DOMAIN}"
LOGINS = (
    ("student, four attempts", f"ada@{DOMAIN}"),
    ("student, the sample", SAMPLE_STUDENT),
    ("student, nothing yet", f"grace@{DOMAIN}"),
    ("teaching assistant", f"priya@{DOMAIN}"),
    ("instructor", f"ines@{DOMAIN}"),
)
PASSWORD = "autodiff-by-hand"  # noqa: S105 - printed on purpose


def demo_settings() -> dict[str, str]:
    """Settings that every process of a demo shares."""
    offset = (DEMO_NOW - datetime.now(UTC)).total_seconds()
    return {
        "GRADLAB_DEMO": "1",
        "GRADLAB_DEMO_PASSWORD": PASSWORD,
        "GRADLAB_CLOCK_OFFSET_S": f"{offset:.0f}",
        "GRADLAB_ALLOW_APPROXIMATE_LIMITS": "0" if limits_are_exact() else "1",
    }


def limits_are_exact() -> bool:
    """Whether this user may make control groups here."""
    from grader.sandbox.cgroups import cgroups_available  # noqa: PLC0415 - after the path is set

    return cgroups_available()


def prepare(stack: Stack) -> None:
    """Database, static files and the seeded course."""
    say("Setting up the database and the seeded course ...")
    stack.manage("migrate", "--verbosity", "0")
    stack.manage("collectstatic", "--noinput", "--verbosity", "0")
    stack.manage("seed_demo")


def listening_address() -> str:
    """This machine alone; in a container, whose walls are the boundary, every address, so that a published port reaches it."""
    return "0.0.0.0" if Path("/.dockerenv").exists() else "127.0.0.1"  # noqa: S104


def run(port: int) -> None:
    """Start everything, grade a sample through the whole path, and stay until a signal or a part's end."""
    started = time.monotonic()
    with Stack(data=ROOT / "var" / "demo", port=port, host=listening_address(), settings=demo_settings()) as stack:
        stack.start_redis()
        prepare(stack)
        say("Starting web, worker and sweeper ...")
        stack.start_site()
        say("Handing in a sample solution of Lab 1 ...")
        say("  " + submit_sample(stack.url, SAMPLE_STUDENT, PASSWORD))
        welcome(stack, time.monotonic() - started)
        while True:
            stack.check()
            time.sleep(1)


def welcome(stack: Stack, seconds: float) -> None:
    """The address and who can sign in."""
    say(f"\nGradlab is up after {seconds:.0f} s:  {stack.url}\n")
    say("Sign in as")
    for role, email in LOGINS:
        say(f"  {role:<24} {email:<32} {PASSWORD}")
    if not limits_are_exact():
        say("\nThis user may make no control groups, so the sandbox's memory and process limits are approximate here.")
    say(
        f"\nThe clock of the demo stands at {DEMO_NOW:%A %d %B %Y, %H:%M} in Chicago. Logs: {stack.data / 'logs'}. Ctrl-C stops it."
    )


def say(text: str) -> None:
    """A line for the person at the terminal."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


def main() -> int:
    """Run the demo; returns the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--fresh", action="store_true", help="delete the data of earlier demos first")
    arguments = parser.parse_args()
    if arguments.fresh:
        shutil.rmtree(ROOT / "var" / "demo", ignore_errors=True)
    signal.signal(signal.SIGTERM, lambda *_: os.kill(os.getpid(), signal.SIGINT))
    try:
        run(arguments.port)
    except StackError as error:
        sys.stderr.write(f"The demo could not go on. {error}\n")
        return 1
    except KeyboardInterrupt:
        say("\nStopped.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
