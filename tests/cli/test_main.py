from __future__ import annotations

import errno
import os
import subprocess
import sys

import pytest

import devos as package
from devos.cli import main
from devos.errors import InputError, ListedError


def test_the_parser_needs_no_heavy_package():
    """`devos --help` is there at once, because torch and the like are imported by the command that runs."""
    heavy = "{'torch', 'numpy', 'cv2', 'av', 'PIL'}"
    code = f"import sys; from devos.cli import main; print({heavy} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"


@pytest.mark.parametrize(("own", "expected"), [(None, "passive"), ("active", "active")])
def test_threads_of_the_command_sleep_while_they_wait_unless_the_user_has_it_otherwise(monkeypatch, own, expected):
    monkeypatch.setenv("OMP_WAIT_POLICY", own or "to be put back as it was")
    if own is None:
        monkeypatch.delenv("OMP_WAIT_POLICY")
    monkeypatch.setenv("GOMP_SPINCOUNT", "5")
    monkeypatch.setattr(main, "app", lambda prog_name: None)
    main.run()
    assert (os.environ["OMP_WAIT_POLICY"], os.environ["GOMP_SPINCOUNT"]) == (expected, "5")


def test_every_command_explains_itself(devos):
    for command in ("segment", "demo", "doctor", "info", "train", "data", "evaluate", "figure"):
        result = devos(command, "--help")
        assert result.exit_code == 0 and "Usage" in result.stdout
    assert "segment" in devos("--help").stdout


def test_the_version_is_printed(devos):
    assert devos("--version").stdout == f"devos {package.__version__}\n"


def test_an_unknown_option_is_exit_code_2(devos):
    assert devos("segment", "--nonsense").exit_code == 2


@pytest.mark.parametrize(("error", "words"), [
    (InputError("found this;\n  give that"), "error: found this; give that\n"),
    (ListedError("wrong\nexpected:\n  ROOT/\n    a/"), "error: wrong\nexpected:\n  ROOT/\n    a/\n"),
    (PermissionError(13, "Permission denied", "/data/a.png"), "error: /data/a.png: Permission denied; see"),
    (OSError(28, "No space left on device"), "error: No space left on device; see"),
    (MemoryError(), "error: out of memory; close"),
])  # fmt: skip
def test_what_the_user_can_mend_is_a_line_or_a_list_with_exit_code_2_from_any_command(devos, monkeypatch, error, words):
    def fail():
        raise error

    monkeypatch.setattr("devos.pipeline.checkup.check_everything", fail)
    result = devos("doctor")
    assert result.exit_code == 2 and result.stdout == "" and result.stderr.startswith(words)


def test_a_bug_keeps_its_traceback(devos, monkeypatch):
    monkeypatch.setattr("devos.pipeline.checkup.check_everything", lambda: 1 // 0)
    with pytest.raises(ZeroDivisionError):
        devos("doctor")


def test_all_that_the_package_promises_is_there():
    import devos.pipeline.segment

    assert package.segment is devos.pipeline.segment.segment
    assert all(getattr(package, name) is not None for name in package.__all__)


def test_a_line_that_quotes_a_damaged_file_at_length_loses_its_middle():
    from devos.cli.failures import explain

    told = explain(InputError("a.json: " + "x" * 100_000 + "; give another"))
    assert len(told) < 1300 and told.startswith("a.json: x") and " ... x" in told and told.endswith("; give another")


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        OSError(errno.ENOMEM, "x"),
        BlockingIOError(errno.EAGAIN, "x"),
        RuntimeError("can't start new thread"),
        RuntimeError("[enforce fail at alloc_cpu.cpp:119] DefaultCPUAllocator: can't allocate memory"),
        RuntimeError('Cannot load library "libplugin.so": libplugin.so: failed to map segment from shared object'),
        RuntimeError("std::bad_alloc"),
    ],
)
def test_without_memory_or_threads_it_is_memory_that_is_told_of(error):
    from devos.cli.failures import explain

    assert explain(error).startswith("out of memory; close other programs")
