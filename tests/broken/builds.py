"""Apps that cannot be built, or whose tests fail."""

from __future__ import annotations

from tests.broken.case import BUSY, GO, NODE, PYTHON, WORKER, BrokenApp, dockerfile


def build(
    name: str, breaks: str, image: str, lines: tuple[str, ...], *says: str, quick: bool = False, **files: str
) -> BrokenApp:
    """Returns an app whose image cannot be built."""
    made = {
        "Dockerfile": dockerfile(image, "WORKDIR /app", *lines),
        **{path.replace("__", "."): text for path, text in files.items()},
    }
    return BrokenApp(name, breaks, WORKER, says, made, image=image, quick=quick)


def tested(
    name: str, breaks: str, image: str, command: str, *says: str, quick: bool = False, **files: str
) -> BrokenApp:
    """Returns an app whose test fails."""
    spec = f"{WORKER}build: {{test: {command!r}}}\n"
    made = {
        "Dockerfile": dockerfile(image, "WORKDIR /app", "COPY . ."),
        **{path.replace("__", "."): text for path, text in files.items()},
    }
    return BrokenApp(name, breaks, spec, says, made, image=image, quick=quick)


TEST = "import unittest\n\nclass T(unittest.TestCase):\n    def test_sum(self):\n        self.assertEqual(1, 2)\n"
CACHE = "import unittest\n\nclass T(unittest.TestCase):\n    def test_cache(self):\n        open('/app/cache', 'w')\n"

BUILDS = (
    build(
        "b12-pip",
        "that version of flask does not exist",
        PYTHON,
        ("RUN pip install --no-index 'flask==99.0'",),
        "No matching distribution found for flask==99.0",
        "version in requirements",
    ),
    build(
        "b12b-npm-ci",
        "there is no package-lock.json",
        NODE,
        ("COPY . .", "RUN npm ci"),
        "existing package-lock.json",
        "commit package-lock.json",
        package__json='{"name": "x", "version": "1.0.0"}',
    ),
    build(
        "b26-copy",
        "COPY names a file that is not there",
        BUSY,
        ("COPY dist/ /www",),
        "dist",
        "not in the source",
        quick=True,
    ),
    build(
        "b28-instruction",
        "RUNN is no instruction",
        BUSY,
        ("RUNN ls",),
        "unknown instruction: RUNN",
        "correct the Dockerfile",
    ),
    BrokenApp(
        "b27-base",
        "its base image cannot be had",
        WORKER,
        ("FROM nowhere.invalid/base:1", "no such host", "FROM"),
        {"Dockerfile": dockerfile("nowhere.invalid/base:1")},
    ),
    BrokenApp(
        "b29-no-dockerfile", "it has no Dockerfile", WORKER, ("there is no Dockerfile", "build.dockerfile"), quick=True
    ),
    build(
        "m13-go",
        "it does not compile",
        GO,
        ("COPY . .", "RUN go build main.go"),
        "main.go:4:2: undefined: missing",
        "correct the code",
        main__go="package main\n\nfunc main() {\n\tmissing()\n}\n",
    ),
    build(
        "m14-no-tool",
        "cmake is not installed",
        BUSY,
        ("RUN cmake .",),
        "cmake: not found",
        "install it in an earlier step",
        quick=True,
    ),
    build(
        "m15-syntax",
        "a script of its build has a syntax error",
        NODE,
        ("COPY . .", "RUN node build.js"),
        "SyntaxError: Unexpected token",
        "correct the code",
        build__js="const x = {;\n",
    ),
    build(
        "m16-no-file",
        "its build reads a file that is not there",
        BUSY,
        ("RUN cp conf/app.conf /etc/app.conf",),
        "conf/app.conf",
        "COPY it before",
    ),
    build(
        "m30-said",
        "its build says so in the first of many lines",
        BUSY,
        ("RUN echo 'error: the licence key is missing' >&2; for i in $(seq 60); do echo usage line $i; done; exit 4",),
        "the licence key is missing",
    ),
    tested("b13-test", "a test fails", PYTHON, "python -m unittest -q", "AssertionError: 1 != 2", test_app__py=TEST),
    tested("b14-no-pytest", "pytest is not installed", BUSY, "pytest -q", "no program pytest", "testStage"),
    tested(
        "flaskr",
        "its tests write to the read-only root",
        PYTHON,
        "python -B -m unittest -q",
        "Read-only file system: '/app/cache'",
        "container.writable: true",
        test_app__py=CACHE,
    ),
    tested(
        "m24-node-test",
        "a test fails",
        NODE,
        "node --test",
        "adds",
        t__test__js="require('node:test')('adds', () => { throw new Error('no') })\n",
    ),
)
