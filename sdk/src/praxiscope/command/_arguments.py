"""What can be typed."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from typing import Any

from praxiscope.command._edit import add_edit
from praxiscope.command._models import add_models

_TRACKERS = ("bytetrack", "sort")
_CODECS = ("av1", "vp9", "h264")


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """Returns what was typed; prints help or what is wrong, and exits, where that is what was asked for."""
    return _parser().parse_args(arguments)


def _parser() -> argparse.ArgumentParser:
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--json", action="store_true", help="print one JSON document and nothing else")
    common.add_argument("--profile", default="", help="profile to use; by default the file's")
    parser = argparse.ArgumentParser(
        prog="praxiscope", description="Video, photos and words in, measured motion and worlds out."
    )
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    login = commands.add_parser("login", parents=[common], help="log in and keep the login in a profile")
    login.add_argument("--url", required=True, help="the platform's address, as in https://praxiscope.example.org")
    login.add_argument("--email", default="", help="asked for where it is not given")
    login.add_argument("--password-file", default="", help="file with the password; asked for where it is not given")
    login.add_argument("--project", default="", help="projects/…; by default the account's oldest")
    login.add_argument("--name", default="default", help="the profile's name")

    commands.add_parser("whoami", parents=[common], help="say who we are there, and what we may do")

    upload = commands.add_parser("upload", parents=[common], help="upload a file and print its asset")
    upload.add_argument("file")
    upload.add_argument(
        "--kind", default="video", choices=["video", "image", "image_set", "world", "detections", "file"]
    )
    upload.add_argument("--display-name", default="")
    upload.add_argument("--resume", default="", metavar="UPLOAD", help="go on with projects/…/uploads/…")

    analyze = commands.add_parser("analyze", parents=[common], help="measure the people in a video")
    analyze.add_argument("video", help="a file, or projects/…/assets/…[/versions/…]")
    analyze.add_argument("--height-m", type=float, default=0.0, help="standing height in metres; sets the scale")
    analyze.add_argument("--preset", default="accurate", choices=["accurate", "fast"])
    analyze.add_argument("--cutoff-hz", type=float, default=0.0, help="low-pass cut-off; by default 6 Hz")
    analyze.add_argument("--no-overlay", action="store_true", help="draw no video")
    analyze.add_argument("--codec", default="av1", choices=_CODECS, help="of the drawn video")
    analyze.add_argument("-o", "--output", default="", metavar="FOLDER", help="where the files go")

    track = commands.add_parser("track", parents=[common], help="track detections in MOTChallenge text")
    track.add_argument("detections", help="frame,id,left,top,width,height,score a line")
    track.add_argument("--tracker", default="bytetrack", choices=_TRACKERS)
    track.add_argument("--preset", default="crowd", choices=["crowd", "people"])
    track.add_argument("--high-score", type=float, default=0.0)
    track.add_argument("--lost-buffer-frames", type=int, default=0)
    track.add_argument("-o", "--output", required=True, metavar="FILE")

    _add_worlds(commands, common)
    add_edit(commands, common)
    _add_operations(commands.add_parser("ops", help="long-running operations"), common)
    _add_assets(commands.add_parser("assets", help="what the project keeps"), common)
    add_models(commands.add_parser("models", help="which versions of the models answer"), common)
    return parser


def _add_worlds(commands: Any, common: argparse.ArgumentParser) -> None:  # noqa: ANN401  argparse names no type for it
    reconstruct = commands.add_parser("reconstruct", parents=[common], help="make a world from photos or a video")
    reconstruct.add_argument("photos", nargs="+", help="photos, folders of photos, one zip, or one video")
    reconstruct.add_argument("--quality", default="standard", choices=["draft", "standard", "high"])
    reconstruct.add_argument("--max-gaussians", type=int, default=0, help="by default what the quality says")
    reconstruct.add_argument("--long-side-px", type=int, default=0, help="of the pictures that are trained on")
    reconstruct.add_argument("--seed", type=int, default=0)
    reconstruct.add_argument(
        "--poses",
        default="unspecified",
        choices=["unspecified", "pictures", "archive"],
        help="from where it is known where the photos were taken: from transforms.json or a COLMAP model beside them if"
        " there is one (default), only from what they show, or only from such a file",
    )
    reconstruct.add_argument("-o", "--output", required=True, metavar="FILE", help="world.spz, .ply, .splat, .glb, …")

    generate = commands.add_parser("generate", parents=[common], help="make a world from words")
    generate.add_argument("words", help="as in: 'a village by a lake on a foggy morning'")
    generate.add_argument("--seed", type=int, default=0)
    generate.add_argument("--gaussians", type=int, default=0, help="how many; by default 100,000")
    generate.add_argument("-o", "--output", required=True, metavar="FILE", help="world.spz, .ply, .splat, .glb, …")

    mesh = commands.add_parser(
        "mesh", parents=[common], help="extract a world's surface, and a coarse one to collide with"
    )
    mesh.add_argument("world", help="a file, or projects/…/assets/…[/versions/…]")
    mesh.add_argument("--voxels", type=int, default=0, help="along the longest side; by default 160")
    mesh.add_argument("--collider-faces", type=int, default=0, help="by default 10,000")
    mesh.add_argument("-o", "--output", required=True, metavar="FILE.glb", help="FILE.collider.glb lies beside it")

    render = commands.add_parser("render", parents=[common], help="draw a world or a mesh, or fly around or through it")
    render.add_argument("world", help="a file, or projects/…/assets/…[/versions/…]")
    render.add_argument(
        "--camera",
        choices=["still", "orbit", "path"],
        help="a picture, a flight around or one along a path; by default what the output and the path say",
    )
    render.add_argument(
        "--path",
        default="",
        metavar="FILE",
        help="fly along the waypoints of a JSON file, RenderFlightRequest's fields",
    )
    render.add_argument(
        "--through",
        type=int,
        nargs="+",
        default=[],
        metavar="N",
        help="fly through where these of its pictures were taken",
    )
    _add_engines(render)
    render.add_argument("--azimuth-deg", type=float, default=0.0, help="counter-clockwise seen from above")
    render.add_argument("--elevation-deg", type=float, default=15.0)
    render.add_argument("--distance", type=float, default=0.0, help="from the middle, in radii of the world")
    render.add_argument("--picture", type=int, default=-1, metavar="N", help="from where its N-th picture was taken")
    render.add_argument("--layer", default="color", choices=["color", "depth", "normal"])
    render.add_argument("--width-px", type=int, default=0)
    render.add_argument("--height-px", type=int, default=0)
    render.add_argument("--frames", type=int, default=0, help="of a flight; by default 120")
    render.add_argument(
        "-o",
        "--output",
        default="",
        metavar="FILE",
        help="a .png, or an .mp4 for a flight; by default called like the world, here",
    )


def _add_engines(render: argparse.ArgumentParser) -> None:
    render.add_argument(
        "--engine",
        default="auto",
        choices=["auto", "splat", "raster", "path"],
        help="auto chooses by what is drawn, the quality and the machine, and says why; path also extracts the mesh of Gaussians first",
    )
    render.add_argument("--quality", default="standard", choices=["draft", "standard", "high"], help="of a mesh")
    render.add_argument(
        "--samples", type=int, default=0, help="paths of light through a pixel; by default the quality's"
    )
    render.add_argument("--light", default="auto", choices=["auto", "none", "daylight"], help="on a mesh")
    render.add_argument("--sun-azimuth-deg", type=float, help="where the sun is, with --sun-elevation-deg")
    render.add_argument("--sun-elevation-deg", type=float, help="above the horizon")
    render.add_argument("--ground", action="store_true", help="lay a grey ground under a mesh")
    render.add_argument("--file", default="", help="which file of the asset; by default the world's")


def _add_operations(parser: argparse.ArgumentParser, common: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    listing = verbs.add_parser("list", parents=[common], help="newest first")
    listing.add_argument("--running", action="store_true", help="only those that are not done")
    listing.add_argument("--limit", type=int, default=20)
    for verb, text in (
        ("get", "read one"),
        ("watch", "follow one to its end"),
        ("cancel", "ask for its end"),
        ("retry", "try a failed one again"),
        ("delete", "forget one that is done"),
    ):
        verbs.add_parser(verb, parents=[common], help=text).add_argument("name", help="projects/…/operations/…")


def _add_assets(parser: argparse.ArgumentParser, common: argparse.ArgumentParser) -> None:
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    listing = verbs.add_parser("list", parents=[common], help="newest first")
    listing.add_argument("--filter", default="", help='as in: kind = KIND_VIDEO AND display_name : "squat"')
    listing.add_argument("--deleted", action="store_true", help="deleted ones too")
    listing.add_argument("--limit", type=int, default=20)
    for verb, text in (
        ("get", "read one, with the files of its newest version"),
        ("delete", "delete one; it can be brought back for 30 days"),
        ("undelete", "bring one back"),
        ("purge", "delete one for good"),
        ("lineage", "what it was made from, and what was made from it"),
    ):
        verbs.add_parser(verb, parents=[common], help=text).add_argument("name", help="projects/…/assets/…")
    download = verbs.add_parser("download", parents=[common], help="download its files")
    download.add_argument("name", help="projects/…/assets/…[/versions/…]")
    download.add_argument("--file", action="append", default=[], help="only this one; may be given again")
    download.add_argument("-o", "--output", required=True, metavar="FOLDER")
