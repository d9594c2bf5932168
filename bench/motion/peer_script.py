"""What an engineer would write instead of running a platform: one process, threads, the same nets.

    python bench/motion/peer_script.py VIDEO MODELS [--overlay FILE] [--height-px 720] [--search-interval 2]

Decodes, searches people with MoveNet multipose at long side 384, runs BlazePose full on each, tracks with supervision's
ByteTrack, measures knee and hip angles in the picture, stores them, and draws an AV1 overlay when asked to. Two
detectors of one thread each and one landmark net run side by side; onnxruntime's threads do not spin. Timed from the
first byte read to the last one written; loading the nets is not counted, since a platform has them loaded too.

It imports nothing of ours, and runs in an environment of its own (requirements/bench.txt). Prints one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import queue
import resource
import threading
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import av
import cv2
import numpy as np
import onnxruntime

warnings.filterwarnings("ignore")
import supervision  # noqa: E402

LONG_SIDE, STRIDE = 384, 32
MIN_SCORE = 0.25
EDGES = [(5, 7), (7, 9), (6, 8), (8, 10), (5, 6), (11, 12), (5, 11), (6, 12), (11, 13), (13, 15), (12, 14), (14, 16)]
ANGLES = {
    "knee_r": (24, 26, 28),
    "knee_l": (23, 25, 27),
    "hip_r": (12, 24, 26),
    "hip_l": (11, 23, 25),
}
END = object()


class Stages:
    """Processor seconds by stage, summed over threads."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._lock = threading.Lock()

    def run(self, name: str, work: Callable[..., object], *arguments: object) -> object:
        """Runs `work` and counts this thread's processor time; the nets' sessions have no threads of their own."""
        start = time.thread_time()
        result = work(*arguments)
        spent = time.thread_time() - start
        with self._lock:
            self.seconds[name] = self.seconds.get(name, 0.0) + spent
        return result


def open_session(path: Path) -> onnxruntime.InferenceSession:
    """Opens a net with one thread that sleeps while it waits."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def search(session: onnxruntime.InferenceSession, image: np.ndarray, scale: float) -> tuple[np.ndarray, ...]:
    """Boxes [N, 4] and scores [N] in the source's pixels."""
    height, width = -(-image.shape[0] // STRIDE) * STRIDE, -(-image.shape[1] // STRIDE) * STRIDE
    padded = np.zeros((1, height, width, 3), np.uint8)
    padded[0, : image.shape[0], : image.shape[1]] = image
    (persons,) = session.run(None, {"images": padded})
    persons = persons.reshape(6, 56)
    persons = persons[persons[:, 55] >= MIN_SCORE]
    boxes = persons[:, [52, 51, 54, 53]] * [width, height, width, height] / scale
    keypoints = persons[:, :51].reshape(-1, 17, 3)[..., [1, 0, 2]] * [width / scale, height / scale, 1.0]
    return boxes, persons[:, 55], keypoints


def cut(image: np.ndarray, box: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A square of 256 pixels around a box, and the way back into the source."""
    side = 1.25 * max(box[2] - box[0], box[3] - box[1])
    scale = side / 256
    origin = np.array([(box[0] + box[2]) / 2, (box[1] + box[3]) / 2]) - side / 2
    way = np.array([[scale, 0.0, origin[0]], [0.0, scale, origin[1]]])
    return cv2.warpAffine(image, way, (256, 256), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP), way


def estimate(session: onnxruntime.InferenceSession, image: np.ndarray, boxes: np.ndarray) -> np.ndarray:
    """Landmarks [N, 33, 2] in the source's pixels."""
    if not len(boxes):
        return np.zeros((0, 33, 2))
    crops, ways = zip(*(cut(image, box) for box in boxes), strict=True)
    outputs = session.run(["landmarks"], {"images": np.stack(crops)})
    points = outputs[0].reshape(len(boxes), 39, 5)[:, :33, :2]
    return np.stack([p @ way[:, :2].T + way[:, 2] for p, way in zip(points, ways, strict=True)])


def measure(points: np.ndarray) -> dict[str, float]:
    """Joint angles in degrees."""
    found = {}
    for name, (first, middle, last) in ANGLES.items():
        up, down = points[first] - points[middle], points[last] - points[middle]
        cosine = up @ down / (np.linalg.norm(up) * np.linalg.norm(down) + 1e-9)
        found[name] = float(np.degrees(np.arccos(np.clip(cosine, -1, 1))))
    return found


def draw(image: np.ndarray, boxes: np.ndarray, ids: np.ndarray, keypoints: np.ndarray, factor: float) -> None:
    """Boxes, ids and skeletons."""
    for box, number, points in zip(boxes * factor, ids, keypoints, strict=True):
        left, top, right, bottom = box.astype(int)
        cv2.rectangle(image, (left, top), (right, bottom), (0, 200, 255), 2)
        cv2.putText(image, str(number), (left, top - 6), cv2.FONT_HERSHEY_SIMPLEX, 0.8, (0, 200, 255), 2)
        places = (points[:, :2] * factor).astype(int)
        for start, end in EDGES:
            if points[start, 2] > 0.2 and points[end, 2] > 0.2:
                cv2.line(image, tuple(places[start]), tuple(places[end]), (60, 220, 60), 3)


def run(options: argparse.Namespace) -> dict[str, object]:
    """Analyses the video."""
    stages = Stages()
    detectors = [open_session(options.models / "movenet_multipose/1/model.onnx") for _ in range(2)]
    landmarks = open_session(options.models / "blazepose_full/1/model.onnx")
    for session in detectors:
        session.run(None, {"images": np.zeros((1, 224, 384, 3), np.uint8)})
    landmarks.run(["landmarks"], {"images": np.zeros((1, 256, 256, 3), np.uint8)})
    decoded: queue.Queue = queue.Queue(4)
    searched: dict[int, tuple] = {}
    ready = threading.Condition()
    started, cpu = time.perf_counter(), time.process_time()
    container = av.open(str(options.video))
    stream = container.streams.video[0]
    stream.thread_type = "NONE"
    rate = stream.average_rate

    def decode() -> None:
        frames = container.decode(stream)
        index = 0
        while True:
            frame = stages.run("decode", next, frames, None)
            if frame is None:
                break
            decoded.put((index, frame))
            index += 1
        for _ in detectors:
            decoded.put(END)

    def detect(session: onnxruntime.InferenceSession) -> None:
        while (item := decoded.get()) is not END:
            index, frame = item
            scale = LONG_SIDE / max(frame.width, frame.height)
            size = round(frame.width * scale), round(frame.height * scale)
            found = None
            if index % options.search_interval == 0:
                small = stages.run(
                    "resize",
                    lambda f=frame, s=size: f.reformat(s[0], s[1], "rgb24", interpolation="AREA").to_ndarray(),
                )
                found = stages.run("search", search, session, small, scale)
            image = stages.run("convert", lambda f=frame: f.to_ndarray(format="rgb24"))
            with ready:
                while index >= next_index[0] + 6:
                    ready.wait()
                searched[index] = (frame, image, found)
                ready.notify_all()
        with ready:
            finished[0] += 1
            ready.notify_all()

    next_index, finished = [0], [0]
    threads = [
        threading.Thread(target=decode, daemon=True),
        *(threading.Thread(target=detect, args=(s,), daemon=True) for s in detectors),
    ]
    for thread in threads:
        thread.start()
    drawn: queue.Queue = queue.Queue(4)
    encoder = (
        threading.Thread(target=encode, args=(options, drawn, rate, stages), daemon=True) if options.overlay else None
    )
    if encoder:
        encoder.start()
    tracker = supervision.ByteTrack(frame_rate=round(float(rate)))
    rows, boxes, keypoints = [], np.zeros((0, 4)), np.zeros((0, 17, 3))
    while True:
        with ready:
            while next_index[0] not in searched and finished[0] < len(detectors):
                ready.wait()
            item = searched.pop(next_index[0], None)
            next_index[0] += 1
            ready.notify_all()
        if item is None:
            break
        _, image, found = item
        if found is not None:
            boxes, scores, keypoints = found
        points = stages.run("landmarks", estimate, landmarks, image, boxes)
        if found is None and len(points):
            boxes = np.concatenate([points.min(axis=1), points.max(axis=1)], axis=1)
        ids = stages.run("track", follow, tracker, boxes, scores)
        for person, number in zip(points, ids, strict=True):
            rows.append([next_index[0] - 1, int(number), *measure(person).values()])
        if encoder:
            drawn.put((image, boxes, ids, keypoints))
    if encoder:
        drawn.put(END)
        encoder.join()
    options.angles.write_text("\n".join(",".join(str(value) for value in row) for row in rows))
    elapsed_s, cpu_s = time.perf_counter() - started, time.process_time() - cpu
    for thread in threads:
        thread.join()
    count = next_index[0] - 1
    return {
        "frames": count,
        "elapsed_s": elapsed_s,
        "frames_per_s": count / elapsed_s,
        "cpu_ms_per_frame": 1e3 * cpu_s / count,
        "cpu_ms_by_stage": {name: 1e3 * spent / count for name, spent in sorted(stages.seconds.items())},
        "resident_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def follow(tracker: supervision.ByteTrack, boxes: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """An id for each box, 0 where the tracker gives none."""
    ids = np.zeros(len(boxes), int)
    if len(boxes):
        found = supervision.Detections(
            xyxy=boxes.astype(np.float32),
            confidence=np.asarray(scores, np.float32),
            class_id=np.zeros(len(boxes), int),
            data={"row": np.arange(len(boxes))},
        )
        tracked = tracker.update_with_detections(found)
        if len(tracked):
            ids[tracked.data["row"]] = tracked.tracker_id
    return ids


def encode(options: argparse.Namespace, drawn: queue.Queue, rate: object, stages: Stages) -> None:
    """Draws and encodes what comes through the queue."""
    output = av.open(str(options.overlay), "w")
    stream, factor = None, 1.0
    while (item := drawn.get()) is not END:
        image, boxes, ids, keypoints = item
        if stream is None:
            height, width = image.shape[:2]
            if options.height_px:
                factor = options.height_px / height
                height, width = options.height_px, round(width * factor / 2) * 2
            stream = output.add_stream("libsvtav1", rate=rate, options={"preset": "12", "crf": "35"})
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
        picture = image.copy() if factor == 1.0 else cv2.resize(image, (stream.width, stream.height))
        stages.run("draw", draw, picture, boxes, ids, keypoints, factor)
        frame = stages.run(
            "convert", lambda p=picture: av.VideoFrame.from_ndarray(p, format="rgb24").reformat(format="yuv420p")
        )
        output.mux(stream.encode(frame))
    output.mux(stream.encode(None))
    output.close()


def main() -> int:
    """Prints the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("video", type=Path)
    parser.add_argument("models", type=Path)
    parser.add_argument("--overlay", type=Path)
    parser.add_argument("--angles", type=Path, default=Path("/dev/null"))
    parser.add_argument("--height-px", type=int, default=0)
    parser.add_argument("--search-interval", type=int, default=1)
    print(json.dumps(run(parser.parse_args())))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
