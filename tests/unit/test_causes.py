"""The cause of a failure: one example for each rule, with the original output of the language, tool or base image."""

from __future__ import annotations

from dataclasses import replace

import pytest

from norn_tasks.domain.causes import (
    Cause,
    Evidence,
    OpenSocket,
    ProgramFile,
    cause_of_answer,
    cause_of_build,
    cause_of_end,
    cause_of_silence,
)

PYTHON = """\
Traceback (most recent call last):
  File "/app/app.py", line 3, in <module>
    url = os.environ["DATABASE_URL"]
          ~~~~~~~~~~^^^^^^^^^^^^^^^^
  File "<frozen os>", line 679, in __getitem__
KeyError: 'DATABASE_URL'
"""
GUNICORN = """\
[2026-11-30 12:00:00 +0000] [1] [INFO] Starting gunicorn 23.0.0
[2026-11-30 12:00:00 +0000] [1] [INFO] Listening at: http://0.0.0.0:8080 (1)
[2026-11-30 12:00:00 +0000] [7] [INFO] Booting worker with pid: 7
[2026-11-30 12:00:00 +0000] [7] [ERROR] Exception in worker process
Traceback (most recent call last):
  File "/usr/lib/python3/dist-packages/gunicorn/arbiter.py", line 589, in spawn_worker
    worker.init_process()
  File "/app/app.py", line 1, in <module>
    import pandas
ModuleNotFoundError: No module named 'pandas'
[2026-11-30 12:00:00 +0000] [7] [INFO] Worker exiting (pid: 7)
[2026-11-30 12:00:00 +0000] [1] [ERROR] Worker (pid:7) exited with code 3
[2026-11-30 12:00:00 +0000] [1] [ERROR] Shutting down: Master
[2026-11-30 12:00:00 +0000] [1] [ERROR] Reason: Worker failed to boot.
"""
NODE = """\
node:internal/modules/cjs/loader:1228
  throw err;
  ^

Error: Cannot find module 'express'
Require stack:
- /app/server.js
    at Module._resolveFilename (node:internal/modules/cjs/loader:1225:15)
    at Object.<anonymous> (/app/server.js:1:17) {
  code: 'MODULE_NOT_FOUND',
  requireStack: [ '/app/server.js' ]
}

Node.js v20.19.2
"""
NODE_REFUSED = """\
node:internal/process/promises:288
            triggerUncaughtException(err, true /* fromPromise */);
            ^

AggregateError [ECONNREFUSED]:
    at internalConnectMultiple (node:net:1122:18)
    at afterConnectMultiple (node:net:1689:7) {
  code: 'ECONNREFUSED',
  [errors]: [
    Error: connect ECONNREFUSED ::1:5432
        at createConnectionError (node:net:1652:14)
    Error: connect ECONNREFUSED 127.0.0.1:5432
        at createConnectionError (node:net:1652:14)
  ]
}

Node.js v20.19.2
"""
GO = """\
panic: runtime error: invalid memory address or nil pointer dereference
[signal SIGSEGV: segmentation violation code=0x1 addr=0x0 pc=0x47c6e1]

goroutine 1 [running]:
main.main()
	/src/main.go:9 +0x21
exit status 2
"""
JAVA = """\
Exception in thread "main" java.lang.ExceptionInInitializerError
	at com.example.Main.main(Main.java:5)
Caused by: java.net.UnknownHostException: db
	at java.base/sun.nio.ch.NioSocketImpl.connect(NioSocketImpl.java:567)
	... 3 more
"""
SPRING = """\
***************************
APPLICATION FAILED TO START
***************************

Description:

Web server failed to start. Port 8080 was already in use.

Action:

Identify and stop the process that's listening on port 8080 or configure this application to listen on another port.
"""
RUBY = """\
/usr/lib/ruby/3.3.0/bundled_gems.rb:69:in `require': cannot load such file -- sinatra (LoadError)
	from /usr/lib/ruby/3.3.0/bundled_gems.rb:69:in `block (2 levels) in replace_require'
	from app.rb:1:in `<main>'
"""
RUST = """\
thread 'main' panicked at src/main.rs:4:37:
DATABASE_URL is not set
note: run with `RUST_BACKTRACE=1` environment variable to display a backtrace
"""
NPM_SCRIPT = """\
npm error Missing script: "start"
npm error
npm error To see a list of scripts, run:
npm error   npm run
npm error A complete log of this run can be found in: /root/.npm/_logs/2026-11-30T12_00_00_000Z-debug-0.log
"""
SQLALCHEMY = """\
Traceback (most recent call last):
  File "/app/app.py", line 9, in <module>
    engine.connect()
sqlalchemy.exc.OperationalError: (psycopg2.OperationalError) connection to server at "10.1.2.3", port 5432 failed: \
Connection refused
	Is the server running on that host and accepting TCP/IP connections?

(Background on this error at: https://sqlalche.me/e/20/e3q8)
"""

ENDS = [
    # The last line that names a cause
    (PYTHON, "KeyError: 'DATABASE_URL'", "no variable DATABASE_URL: set it in env"),
    (GUNICORN, "ModuleNotFoundError: No module named 'pandas'", "add it to the dependencies"),
    (NODE, "Error: Cannot find module 'express'", "express is not in the image: add it"),
    (GO, "panic: runtime error: invalid memory address or nil pointer dereference", ""),
    (JAVA, "Caused by: java.net.UnknownHostException: db", "no host has the name db"),
    (SPRING, "Web server failed to start. Port 8080 was already in use.", "two servers on one port"),
    (RUBY, "cannot load such file -- sinatra (LoadError)", "sinatra is not in the image"),
    (RUST, "DATABASE_URL is not set", "no variable DATABASE_URL"),
    (
        "PHP Fatal error:  Uncaught Exception: boom in /app/index.php:3\nStack trace:\n#0 {main}\n "
        " thrown in /app/index.php",
        "PHP Fatal error: Uncaught Exception: boom in /app/index.php:3",
        "",
    ),
    (
        "Unhandled exception. System.InvalidOperationException: bad state\n   at Program.<Main>$(String[] args)",
        "Unhandled exception. System.InvalidOperationException: bad state",
        "",
    ),
    (
        "** (RuntimeError) environment variable SECRET_KEY_BASE is missing.\n    /app/config/runtime.exs:20: (file)",
        "environment variable SECRET_KEY_BASE is missing",
        "no variable SECRET_KEY_BASE",
    ),
    (
        "2026/11/30 12:00:00 missing environment variable API_TOKEN\n",
        "missing environment variable API_TOKEN",
        "no variable API_TOKEN",
    ),
    (
        '{"level":"info","msg":"starting"}\n{"level":"fatal","msg":"cannot load '
        'config","error":"open /etc/app.yml: no such '
        'file or directory"}',
        "cannot load config: open /etc/app.yml: no such file or directory",
        "/etc/app.yml is not in the image",
    ),
    ("/entry.sh: line 2: STRIPE_KEY: parameter not set\n", "STRIPE_KEY: parameter not set", "no variable STRIPE_KEY"),
    ("config loaded\nbye\n", "bye", ""),
    ("\x1b[31mError: boom\x1b[0m\n", "Error: boom", ""),
    # Programs that cannot be executed
    ("exec /app/server: exec format error\n", "/app/server cannot be executed here", "begin a script with #!/bin/sh"),
    (
        "[FATAL tini (7)] exec gunicorn failed: No such file or directory\n",
        "the image has no program gunicorn",
        "check `command`",
    ),
    (
        "[FATAL tini (7)] exec /entry.sh failed: Permission denied\n",
        "/entry.sh may not be executed",
        "RUN chmod +x /entry.sh",
    ),
    ("/usr/bin/env: 'python3\\r': No such file or directory\n", "line ends of Windows", "save it with LF"),
    ("/entry.sh: line 2: \r: not found", "line ends of Windows", "save it with LF"),
    ("sh: gunicorn: not found\n", "the image has no program gunicorn", "install it in the Dockerfile"),
    (
        "./app: error while loading shared libraries: libpq.so.5: cannot open shared object file: "
        "No such file or directory\n",
        "the image has no library libpq.so.5",
        "install its package",
    ),
    (
        "./app: /lib/x86_64-linux-gnu/libc.so.6: version `GLIBC_2.34' not found (required by ./app)\n",
        "GLIBC_2.34",
        "same base image",
    ),
    # Files
    (
        "OSError: [Errno 30] Read-only file system: '/app/cache'\n",
        "Read-only file system: '/app/cache'",
        "mounted read-only",
    ),
    ("Error: ENOSPC: no space left on device, write\n", "ENOSPC", "make room"),
    (
        "PermissionError: [Errno 13] Permission denied: '/etc/shadow'\n",
        "Permission denied: '/etc/shadow'",
        "COPY --chown",
    ),
    (
        "Error: listen EACCES: permission denied 0.0.0.0:80\n",
        "listen EACCES: permission denied 0.0.0.0:80",
        "below 1024",
    ),
    (
        "BlockingIOError: [Errno 11] Resource temporarily unavailable\n",
        "Resource temporarily unavailable",
        "another process holds",
    ),
    ("sqlite3.OperationalError: database is locked\n", "database is locked", "another process holds"),
    (
        "FileNotFoundError: [Errno 2] No such file or directory: '/app/config.toml'\n",
        "/app/config.toml",
        "COPY it in the Dockerfile",
    ),
    (
        "python: can't open file '/app/main.py': [Errno 2] No such file or directory\n",
        "can't open file",
        "/app/main.py is not in the image",
    ),
    # Network
    ("OSError: [Errno 98] Address already in use\n", "Address already in use", "two servers on one port"),
    (NODE_REFUSED, "ECONNREFUSED 127.0.0.1:5432", "inside the container"),
    (
        SQLALCHEMY,
        'connection to server at "10.1.2.3", port 5432 failed: Connection refused',
        "at 10.1.2.3:5432: start it",
    ),
    ("Error: getaddrinfo ENOTFOUND db\n", "getaddrinfo ENOTFOUND db", "no host has the name db"),
    ("dial tcp: lookup cache on 127.0.0.11:53: no such host\n", "no such host", "no host has the name cache"),
    (
        'FATAL:  password authentication failed for user "app"\n',
        "password authentication failed",
        "correct the user and the password",
    ),
    ('ERROR: relation "users" does not exist\n', 'relation "users" does not exist', "migrate"),
    (
        "ssl.SSLCertVerificationError: certificate verify failed: unable to get local issuer certificate\n",
        "certificate verify failed",
        "ca-certificates",
    ),
    ("TimeoutError: [Errno 110] Connection timed out\n", "Connection timed out", "nothing answers at that address"),
    # Languages
    (NPM_SCRIPT, 'Missing script: "start"', "add start to scripts"),
    (
        "FATAL ERROR: Reached heap limit Allocation failed - JavaScript heap out of memory\n ----- "
        "Native stack trace -----\n",
        "heap out of memory",
        "resources.memory",
    ),
    (
        '  File "/app/app.py", line 7\n    def f(:\n          ^\nSyntaxError: invalid syntax\n',
        "SyntaxError: invalid syntax (/app/app.py:7)",
        "correct the code",
    ),
]


@pytest.mark.parametrize(("output", "text", "hint"), ENDS)
def test_an_end_has_a_cause_and_a_hint(output: str, text: str, hint: str) -> None:
    found = cause_of_end(Evidence(lines=tuple(output.splitlines()), exit_code=1, port=8080))
    assert (text in found.text, hint in found.hint) == (True, True), found


ELF = b"\x7fELF\x02\x01\x01" + b"\0" * 9 + b"\x02\0"
FILES = [
    (b"#!/bin/sh\r\nexec app\r\n", "no such file or directory", "/run has the line ends of Windows (CRLF)"),
    (
        b"#!/bin/bash\nexec app\n",
        "no such file or directory",
        "/run begins with #!/bin/bash, and the image has no such program",
    ),
    (b"exec app\n", "exec format error", "/run does not begin with #!"),
    (ELF + b"\xb7\0", "exec format error", "/run was built for arm64"),
    (ELF + b"\x3e\0", "no such file or directory", "/run needs a loader (of glibc or musl)"),
    (b"MZ\x90", "exec format error", "/run is a program for another system"),
    (b"", "no such file or directory", "the image has no program /run"),
]


def test_a_binary_that_a_shell_has_read_is_for_another_machine() -> None:
    lines = ('/run: line 1: syntax error: unexpected word (expecting ")")',)
    found = cause_of_end(Evidence(lines=lines, program=ProgramFile("/run", ELF + b"\xb7\0")))
    assert found.text.startswith("/run was built for arm64")


@pytest.mark.parametrize(("head", "why", "text"), FILES)
def test_the_file_of_a_program_says_why_it_cannot_be_executed(head: bytes, why: str, text: str) -> None:
    found = cause_of_end(Evidence(lines=(f"exec /run: {why}",), program=ProgramFile("/run", head)))
    assert found.text.startswith(text)
    assert found.hint


def test_norns_own_read_only_root_is_named_with_its_field() -> None:
    lines = ("sqlite3.OperationalError: unable to open database file",)
    assert "container.writable: true" in cause_of_end(Evidence(lines=lines, read_only=True)).hint
    assert "container.writable" not in cause_of_end(Evidence(lines=lines)).hint


def test_a_volume_of_another_user_is_named() -> None:
    lines = ("Error: EACCES: permission denied, open '/data/db.json'",)
    found = cause_of_end(Evidence(lines=lines, volumes=("/data",), user="node"))
    assert "the volume at /data is not writable for node" in found.hint


def test_a_lock_of_the_old_replica_is_named() -> None:
    lines = ("BlockingIOError: [Errno 11] Resource temporarily unavailable",)
    assert cause_of_end(Evidence(lines=lines, beside=True)).hint.startswith("rollout: recreate")


def test_a_variable_that_is_there_is_not_said_to_be_missing() -> None:
    evidence = Evidence(lines=("KeyError: 'DATABASE_URL'",), environment=frozenset({"DATABASE_URL"}))
    assert cause_of_end(evidence).hint == ""


PYTEST = """\
tests/test_app.py F                                                       [100%]
=================================== FAILURES ===================================
E       assert 404 == 200
tests/test_app.py:4: AssertionError
=========================== short test summary info ============================
FAILED tests/test_app.py::test_index - assert 404 == 200
============================== 1 failed in 0.05s ===============================
"""


UNITTEST = """\
FAIL: test_sum (test_app.T.test_sum)
----------------------------------------------------------------------
Traceback (most recent call last):
  File "/app/test_app.py", line 5, in test_sum
    self.assertEqual(1, 2)
AssertionError: 1 != 2

----------------------------------------------------------------------
Ran 1 test in 0.001s

FAILED (failures=1)
"""
NODE_SOCKET = """\
node:events:497
      throw er; // Unhandled 'error' event
      ^

Error: connect ECONNREFUSED 127.0.0.1:6379
    at TCPConnectWrap.afterConnect [as oncomplete] (node:net:1611:16)
Emitted 'error' event on Socket instance at:
    at emitErrorNT (node:internal/streams/destroy:169:8) {
  errno: -111,
  code: 'ECONNREFUSED',
  syscall: 'connect',
  address: '127.0.0.1',
  port: 6379
}

Node.js v20.19.2
"""


def test_an_error_of_node_is_read_above_its_details() -> None:
    found = cause_of_end(Evidence(lines=tuple(NODE_SOCKET.splitlines())))
    assert found.text == "Error: connect ECONNREFUSED 127.0.0.1:6379"


@pytest.mark.parametrize(
    ("output", "text"),
    [
        (PYTEST, "FAILED tests/test_app.py::test_index - assert 404 == 200"),
        ("TAP version 13\n# Subtest: adds\nnot ok 1 - adds\n  ---\n  duration_ms: 1\n# fail 1\n", "not ok 1 - adds"),
        (
            "=== RUN   TestSum\n    sum_test.go:8: got 3, want 4\n--- FAIL: TestSum (0.00s)\nFAIL\nexit status 1\n",
            "--- FAIL: TestSum",
        ),
        (UNITTEST, "AssertionError: 1 != 2"),
    ],
)
def test_the_test_that_failed_is_named(output: str, text: str) -> None:
    assert cause_of_end(Evidence(lines=tuple(output.splitlines())), tests=True).text.startswith(text)


SILENT = Evidence(port=8080, sockets=())


@pytest.mark.parametrize(
    ("evidence", "text", "hint"),
    [
        (replace(SILENT, sockets=(OpenSocket("0.0.0.0", 3000),)), "it listens on port 3000", "write port: 3000"),
        (
            replace(SILENT, sockets=(OpenSocket("", 5000), OpenSocket("", 80))),
            "it listens on the ports 80, 5000",
            "80 or 5000",
        ),
        (replace(SILENT, sockets=(OpenSocket("127.0.0.1", 8080),)), "it listens on 127.0.0.1:8080", "0.0.0.0:8080"),
        (
            replace(SILENT, waits_for_lock=True, beside=True),
            "it waits for a lock on a file; the old replica",
            "rollout: recreate",
        ),
        (replace(SILENT, lines=("waiting for db: Connection refused to 10.0.0.9:5432",)), "10.0.0.9:5432", "start it"),
        (
            replace(SILENT, sockets=None, lines=(" * Running on http://127.0.0.1:5000",)),
            "http://127.0.0.1:5000",
            "0.0.0.0:8080",
        ),
        (
            replace(SILENT, lines=("loading the model",)),
            "it listens on no port; its last line: loading the model",
            "0.0.0.0:8080",
        ),
        (SILENT, "it listens on no port; it wrote nothing", "0.0.0.0:8080"),
    ],
)
def test_a_port_that_does_not_accept_has_a_cause(evidence: Evidence, text: str, hint: str) -> None:
    found = cause_of_silence(evidence)
    assert (text in found.text, hint in found.hint) == (True, True), found


@pytest.mark.parametrize(
    ("evidence", "status", "text", "hint"),
    [
        (Evidence(tls=True), None, "it speaks TLS", "plain HTTP"),
        (Evidence(tls=True), 400, "it speaks TLS", "plain HTTP"),
        (
            Evidence(
                lines=("Invalid HTTP_HOST header: 'localhost'. You may need to add 'localhost' to ALLOWED_HOSTS.",)
            ),
            400,
            "it refuses the Host header",
            "ALLOWED_HOSTS",
        ),
        (Evidence(), 421, "it refuses the Host header", "allow the host name"),
        (
            Evidence(lines=("[ActionDispatch::HostAuthorization::DefaultResponseApp] Blocked hosts: localhost",)),
            403,
            "it refuses the Host header",
            "",
        ),
        (Evidence(), 401, "it wants a login", "needs no login"),
        (Evidence(), 403, "", "Host header"),
        (Evidence(), 404, "the app has no such page", "correct the path"),
        (Evidence(lines=("ZeroDivisionError: division by zero",)), 500, "ZeroDivisionError", "its last lines"),
    ],
)
def test_a_bad_answer_has_a_cause(evidence: Evidence, status: int | None, text: str, hint: str) -> None:
    found = cause_of_answer(evidence, status)
    assert (text in found.text, hint in found.hint) == (True, True), found


BUILDS = [
    (
        "ERROR: Could not find a version that satisfies the requirement flask==99.0 (from versions: 0.1, 3.1.0)\n"
        "ERROR: No matching distribution found for flask==99.0\n[notice] A new release of pip is "
        "available: 23.0 -> 25.0",
        "No matching distribution found for flask==99.0",
        "requirements",
    ),
    (
        "npm error code EUSAGE\nnpm error\nnpm error The `npm ci` command can only install with an "
        "existing package-lock.json or\n"
        "npm error npm-shrinkwrap.json with lockfileVersion >= 1. Run an install with npm@5 "
        "or\nnpm error later\nnpm error\n"
        "npm error Clean install a project\nnpm error\nnpm error Options:\nnpm error "
        "[--install-strategy <hoisted>]\nnpm error aliases: clean-install",
        "The `npm ci` command can only install with an existing package-lock.json",
        "commit package-lock.json",
    ),
    (
        "npm error code ETARGET\nnpm error notarget No matching version found for "
        "left-pad@99.0.0.\nnpm error notarget In most cases you",
        "No matching version found for left-pad@99.0.0.",
        "package.json",
    ),
    (
        "npm error code E404\nnpm error 404 Not Found - GET https://npm.example/nosuch - Not found\nnpm error 404",
        "Not Found - GET https://npm.example/nosuch",
        "package.json",
    ),
    (
        "> x@1.0.0 build\n> tsc\nsrc/a.ts(3,7): error TS2322: Type 'string' is not assignable to "
        "type 'number'.\nnpm error code 2\n"
        "npm error path /app\nnpm error command failed\nnpm error command sh -c tsc",
        "src/a.ts(3,7): error TS2322",
        "correct the code",
    ),
    (
        "# example.com/x\n./main.go:5:2: undefined: fmt.Printn",
        "./main.go:5:2: undefined: fmt.Printn",
        "correct the code",
    ),
    (
        "main.go:4:2: missing go.sum entry for module providing package github.com/a/b; to add:\n\tgo get x",
        "missing go.sum entry",
        "go mod tidy",
    ),
    ("E: Unable to locate package libfoo-dev", "Unable to locate package libfoo-dev", "apt-get update"),
    (
        "ERROR: unable to select packages:\n  foo (no such package):\n    required by: world[foo]",
        "unable to select packages",
        "apk",
    ),
    ("#9 0.412 /bin/sh: cmake: not found", "cmake: not found", "install it in an earlier step"),
    ("make: *** No rule to make target 'dist'.  Stop.", "No rule to make target 'dist'", "Makefile"),
    (
        "main.c:3:10: fatal error: foo.h: No such file or directory\n    3 | #include <foo.h>\ncompilation terminated.",
        "foo.h",
        "correct the code",
    ),
    (
        "FATAL ERROR: Ineffective mark-compacts near heap limit Allocation failed - JavaScript heap out of memory",
        "heap out of memory",
        "NORN_BUILD_MEMORY",
    ),
    ("Could not find gem 'sinatra (= 99)' in rubygems repository", "Could not find gem 'sinatra", "Gemfile.lock"),
    ("sh: ./build.sh: Permission denied", "./build.sh: Permission denied", "RUN chmod"),
    ("cp: can't stat 'dist': No such file or directory", "can't stat 'dist'", "COPY it before"),
    ("curl: (6) Could not resolve host: example.invalid", "not resolve host: example.invalid", "cannot find that host"),
    ("something went wrong\nerror: the frobnicator is broken\nbye", "the frobnicator is broken", ""),
]


@pytest.mark.parametrize(("output", "text", "hint"), BUILDS)
def test_a_build_names_the_line_that_matters(output: str, text: str, hint: str) -> None:
    found = cause_of_build(output.splitlines())
    assert found is not None
    assert (text in found.text, hint in found.hint) == (True, True), found


def test_a_build_without_an_error_has_its_last_line() -> None:
    assert cause_of_build(["hello", "oh no"]) == Cause("oh no")
    assert cause_of_build([]) is None
