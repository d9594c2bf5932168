"""`python -m vision_inference_service serve` or `migrate`."""

from praxiscope_common.service import run_command
from vision_inference_service.app import migrate, serve

if __name__ == "__main__":
    run_command({"serve": serve, "migrate": migrate})
