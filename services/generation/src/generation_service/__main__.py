"""`python -m generation_service {serve,work}`."""

from generation_service.app import serve, work
from praxiscope_common.service import run_command

if __name__ == "__main__":
    run_command({"serve": serve, "work": work})
