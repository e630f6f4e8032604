"""`python -m devos`, which is how torchrun starts the command in several processes."""

from devos.cli.main import run

if __name__ == "__main__":
    run()
