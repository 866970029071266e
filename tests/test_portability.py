"""What only POSIX has is asked for before it is used, so that the package is imported and runs on Windows too."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = [*(ROOT / "diet_explorer").rglob("*.py"), ROOT / "app.py", *(ROOT / "pages").glob("*.py")]
POSIX_MODULES = {"crypt", "fcntl", "grp", "posix", "pty", "pwd", "resource", "syslog", "termios", "tty"}
POSIX_ONLY = {
    "os": """sched_getaffinity sched_setaffinity nice fork forkpty getuid geteuid getgid getegid getgroups setsid
        setpgid getpgid getpgrp killpg chown fchown lchown fchmod mkfifo mknod uname statvfs fstatvfs getpriority
        setpriority wait wait3 wait4 waitid openpty sync pread pwrite posix_fallocate posix_fadvise getloadavg
        O_DIRECTORY O_NOFOLLOW O_NONBLOCK O_CLOEXEC WNOHANG""",
    "signal": """SIGKILL SIGHUP SIGUSR1 SIGUSR2 SIGALRM SIGCHLD SIGQUIT SIGSTOP SIGCONT alarm setitimer pthread_kill
        pthread_sigmask sigwait""",
    "socket": "AF_UNIX",
}


def unguarded(text: str) -> Iterator[str]:
    """What a file takes from POSIX in a function, or at its top, that does not look whether it is there."""
    tree = ast.parse(text)
    functions = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names if alias.name.partition(".")[0] in POSIX_MODULES]
        elif isinstance(node, ast.ImportFrom) and node.module in POSIX_MODULES:
            names = [node.module]
        elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            names = [node.attr for _ in "x" if node.attr in POSIX_ONLY.get(node.value.id, "").split()]
        elif isinstance(node, ast.keyword) and node.arg == "preexec_fn":
            names = ["preexec_fn"]
        around = [one for one in functions if one.lineno <= node.lineno <= (one.end_lineno or 0)] if names else []
        asked = "\n".join(ast.get_source_segment(text, function) or "" for function in around)
        for name in names:
            if not re.search(rf'hasattr\(\w+, "{name}"\)|\bos\.name\b|\bsys\.platform\b', asked):
                yield f"line {node.lineno}: {name}"


def test_nothing_is_taken_from_posix_unasked() -> None:
    found = {str(path.relative_to(ROOT)): list(unguarded(path.read_text(encoding="utf-8"))) for path in FILES}
    assert {path: names for path, names in found.items() if names} == {}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("import fcntl", ["fcntl"]),
        ("import os\ndef f():\n    os.killpg(1, 9)", ["killpg"]),
        ("import signal\nNUMBER = signal.SIGKILL", ["SIGKILL"]),
        ('import os\ndef f():\n    return os.nice(1) if hasattr(os, "nice") else 0', []),
        ('import os\ndef f():\n    if os.name == "nt":\n        return\n    os.sync()', []),
        ("def f():\n    subprocess.Popen([], preexec_fn=f)", ["preexec_fn"]),
    ],
)
def test_what_is_unasked_is_seen(text: str, names: list[str]) -> None:
    assert [words.partition(": ")[2] for words in unguarded(text)] == names
