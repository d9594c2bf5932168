"""`python -m library_service {serve,migrate}`."""

from library_service.app import migrate, serve
from praxiscope_common.service import run_command

if __name__ == "__main__":
    run_command({"serve": serve, "migrate": migrate})
