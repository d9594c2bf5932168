"""`python -m operator_service {work,analyze}`."""

from operator_service.app import analyze, work
from praxiscope_common.service import run_command

if __name__ == "__main__":
    run_command({"work": work, "analyze": analyze})
