// A surface: turned about, and drawn by the platform with whichever engine is wanted.
import { useEffect, useRef, useState } from "react";
import { PlatformError } from "../client/errors";
import { fetchFile } from "../client/files";
import { MESH_FILE } from "../client/kinds";
import type { Asset, AssetVersion } from "../contract/generated";
import { Problem } from "../parts/problem";
import { count } from "../parts/words";
import { DrawCard } from "../world/draw-card";
import { FlightCard } from "../world/flight-card";
import { MeshScene } from "./mesh-scene";

const KEYS = "Drag to turn, two fingers or the right button to shift, the wheel to come closer. Keys: arrows shift, with Shift they turn.";

interface Props {
  readonly asset: Asset;
  readonly version: AssetVersion;
}

export default function MeshView({ asset, version }: Props) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [scene, setScene] = useState<MeshScene>();
  const [progress, setProgress] = useState(0);
  const [problem, setProblem] = useState<unknown>();
  const name = version.name ?? "";
  const path = version.files?.find((file) => MESH_FILE.test(file.path ?? ""))?.path ?? "";
  useEffect(() => {
    const ending = new AbortController();
    let made: MeshScene | undefined;
    const start = async () => {
      if (!canvas.current) return;
      made = beginScene(canvas.current);
      const bytes = await fetchFile(name, path, setProgress, ending.signal);
      const hasFaces = await made.load(bytes).catch(() => {
        throw new PlatformError("The mesh cannot be read by this page; it may be damaged, or use an extension of glTF.", "MESH_UNREADABLE");
      });
      if (!hasFaces)
        throw new PlatformError("This file has no triangles to show; export it as SPZ or PLY and upload that, or download it.", "NOT_SHOWN");
      if (!ending.signal.aborted) setScene(made);
    };
    start().catch((error: unknown) => !ending.signal.aborted && setProblem(error));
    return () => {
      ending.abort();
      made?.dispose();
      setScene(undefined);
    };
  }, [name, path]);
  return (
    <div className="world">
      <div className="stack">
        <div className="stage">
          {/* biome-ignore lint/a11y/noInteractiveElementToNoninteractiveRole: its keys move the camera */}
          <canvas
            ref={canvas}
            tabIndex={0}
            role="application"
            aria-label={`The mesh ${asset.displayName ?? ""}. ${KEYS}`}
            data-ready={scene ? "true" : "false"}
          />
          {!scene && problem === undefined && (
            <div className="over stack tight" role="status">
              <span>{progress < 1 ? "Loading the mesh…" : "Unpacking…"}</span>
              <progress max={1} value={progress} aria-label="Loading the mesh" />
            </div>
          )}
        </div>
        {problem !== undefined && <Problem problem={problem} />}
        <p className="keys">{KEYS}</p>
        <p className="small soft">{scene && `${count(scene.faceCount, "face")}.`}</p>
      </div>
      <div className="stack">
        <DrawCard world={name} path={path} hasSurfaces see={scene && (() => scene.view)} />
        <FlightCard key={name} world={name} path={path} hasSurfaces viewer={scene} canvas={canvas} />
      </div>
    </div>
  );
}

function beginScene(canvas: HTMLCanvasElement): MeshScene {
  try {
    return new MeshScene(canvas);
  } catch {
    throw new PlatformError(
      "This browser cannot draw meshes: it has no WebGL 2, or it is switched off. Pictures work all the same.",
      "WEBGL_MISSING",
    );
  }
}
