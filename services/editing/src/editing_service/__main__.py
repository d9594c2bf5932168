"""`python -m editing_service {serve,work,migrate}`."""

from editing_service.app import migrate, serve, work
from praxiscope_common.service import run_command

if __name__ == "__main__":
    run_command({"serve": serve, "work": work, "migrate": migrate})
