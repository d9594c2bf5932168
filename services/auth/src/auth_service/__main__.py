"""`python -m auth_service {serve,migrate,bootstrap}`."""

from auth_service.app import bootstrap, migrate, serve
from praxiscope_common.service import run_command

if __name__ == "__main__":
    run_command({"serve": serve, "migrate": migrate, "bootstrap": bootstrap})
