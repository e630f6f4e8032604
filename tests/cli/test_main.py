from __future__ import annotations

import subprocess
import sys

import devos as package


def test_the_parser_needs_no_heavy_package():
    """`devos --help` is there at once, because torch and the like are imported by the command that runs."""
    heavy = "{'torch', 'numpy', 'cv2', 'av', 'PIL'}"
    code = f"import sys; from devos.cli import main; print({heavy} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"


def test_every_command_explains_itself(devos):
    for command in ("segment", "demo", "doctor", "info", "train", "evaluate"):
        result = devos(command, "--help")
        assert result.exit_code == 0 and "Usage" in result.stdout
    assert "segment" in devos("--help").stdout


def test_the_version_is_printed(devos):
    assert devos("--version").stdout == f"devos {package.__version__}\n"


def test_an_unknown_option_is_exit_code_2(devos):
    assert devos("segment", "--nonsense").exit_code == 2


def test_all_that_the_package_promises_is_there():
    import devos.pipeline.segment

    assert package.segment is devos.pipeline.segment.segment
    assert all(getattr(package, name) is not None for name in package.__all__)
