"""`python -m rendering_service {serve,work}`."""

from praxiscope_common.service import run_command
from rendering_service.app import serve, work

if __name__ == "__main__":
    run_command({"serve": serve, "work": work})
