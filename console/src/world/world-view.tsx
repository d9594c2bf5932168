// A world: flown through, looked at from where its pictures were taken, handed on, edited.
import { lazy, Suspense, useCallback, useEffect, useMemo, useRef, useState } from "react";
import { PlatformError, tell } from "../client/errors";
import { addressOf, fetchFile, fetchJson } from "../client/files";
import type { Asset, AssetVersion } from "../contract/generated";
import { announce } from "../parts/announce";
import { Problem } from "../parts/problem";
import { useAnswer } from "../parts/use-answer";
import { count } from "../parts/words";
import { hashOf, type TakenFrom, viewInHash, viewOf } from "./cameras";
import { DrawCard } from "./draw-card";
import { FlightCard } from "./flight-card";
import { HandOn } from "./hand-on";
import { type Look, type Movement, Viewer } from "./viewer";

const EditPanel = lazy(() => import("./edit-panel"));

/** Files that can be shown, the best first; whether their y axis points down. */
const SHOWN: readonly (readonly [RegExp, boolean])[] = [
  [/\.spz$/i, false],
  [/\.ply$/i, true],
  [/\.splat$/i, true],
];
const RESTED_MS = 400;

interface Described {
  readonly is_antialiased?: boolean;
  readonly background_rgb?: readonly [number, number, number];
  readonly gaussian_count?: number;
  readonly caption?: string;
  readonly has_scale?: boolean;
  readonly picture_count?: number;
  readonly placed_picture_count?: number;
}

interface Told {
  readonly described: Described;
  readonly cameras: readonly TakenFrom[];
  readonly poster: string;
}

async function readAbout(version: AssetVersion): Promise<Told> {
  const name = version.name ?? "";
  const has = (path: string) => version.files?.some((file) => file.path === path) ?? false;
  const [described, cameras, poster] = await Promise.all([
    has("world.json") ? fetchJson<Described>(name, "world.json") : {},
    has("cameras.json") ? fetchJson<readonly TakenFrom[]>(name, "cameras.json") : [],
    has("thumbnail.png") ? addressOf(name, "thumbnail.png") : "",
  ]);
  return { described, cameras, poster };
}

export default function WorldView({ asset, version: current }: { readonly asset: Asset; readonly version: AssetVersion }) {
  // Versions never change: read anew, as after a renaming, it is the same, and the viewer and what is being edited stay.
  // biome-ignore lint/correctness/useExhaustiveDependencies: the name stands for the whole
  const version = useMemo(() => current, [current.name]);
  const about = useAnswer(`about ${version.name ?? ""}`, () => readAbout(version));
  if (!about.value)
    return about.problem === undefined ? (
      <p className="soft" role="status">
        Loading the world…
      </p>
    ) : (
      <Problem problem={about.problem} retry={about.again} />
    );
  return <World asset={asset} version={version} about={about.value} />;
}

interface Props {
  readonly asset: Asset;
  readonly version: AssetVersion;
  readonly about: Told;
}

function World({ asset, version, about }: Props) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const [viewer, setViewer] = useState<Viewer>();
  const [progress, setProgress] = useState(0);
  const [problem, setProblem] = useState<unknown>();
  const [movement, setMovement] = useState<Movement>("orbit");
  const [isEditing, setEditing] = useState(false);
  useEffect(() => {
    const ending = new AbortController();
    let made: Viewer | undefined;
    const start = async () => {
      if (!canvas.current) return;
      made = beginViewer(canvas.current, lookOf(about.described));
      await fillViewer(made, version, about.cameras, setProgress, ending.signal);
      if (!ending.signal.aborted) setViewer(made);
    };
    start().catch((error: unknown) => !ending.signal.aborted && setProblem(error));
    return () => {
      ending.abort();
      made?.dispose();
      setViewer(undefined);
    };
  }, [version, about]);
  const move = useCallback(
    (how: Movement) => {
      if (viewer) viewer.movement = how;
      setMovement(how);
      canvas.current?.focus();
    },
    [viewer],
  );
  const { described } = about;
  return (
    <div className="world">
      <div className="stack">
        <div className="stage">
          {!viewer && about.poster && <img className="stroke" src={about.poster} alt="" />}
          {/* biome-ignore lint/a11y/noInteractiveElementToNoninteractiveRole: its keys move the camera */}
          <canvas
            ref={canvas}
            tabIndex={0}
            role="application"
            aria-label={`The world ${asset.displayName ?? ""}. ${KEYS[movement]}`}
            data-ready={viewer ? "true" : "false"}
          />
          {!viewer && problem === undefined && (
            <div className="over stack tight" role="status">
              <span>{progress < 1 ? "Loading the world…" : "Unpacking…"}</span>
              <progress max={1} value={progress} aria-label="Loading the world" />
            </div>
          )}
          <svg className="stroke" aria-hidden="true" data-stroke="" />
        </div>
        {problem !== undefined && <Problem problem={problem} />}
        <div className="row apart">
          <fieldset className="row">
            <legend className="visually-hidden">How to move</legend>
            <button type="button" className="button tight" aria-pressed={movement === "orbit"} onClick={() => move("orbit")}>
              Orbit
            </button>
            <button type="button" className="button tight" aria-pressed={movement === "walk"} onClick={() => move("walk")}>
              Walk
            </button>
          </fieldset>
          <div className="row">
            <button type="button" className="button tight" disabled={!viewer} onClick={() => viewer && void savePicture(viewer, asset)}>
              Save a picture
            </button>
            <button type="button" className="button tight" aria-pressed={isEditing} disabled={!viewer} onClick={() => setEditing(!isEditing)}>
              Edit
            </button>
          </div>
        </div>
        <p className="keys">{KEYS[movement]}</p>
        <p className="small soft">
          {described.caption && `${described.caption} `}
          {viewer?.splats && `${count(viewer.splats.count, "Gaussian")}. `}
          {described.picture_count && `${described.placed_picture_count ?? 0} of ${count(described.picture_count, "picture")} placed. `}
          {described.has_scale === false && "Made from pictures alone, so lengths have no scale."}
        </p>
      </div>
      <div className="stack">
        {isEditing && viewer ? (
          <Suspense
            fallback={
              <p className="soft" role="status">
                Loading the tools…
              </p>
            }
          >
            <EditPanel asset={asset} version={version} viewer={viewer} canvas={canvas} />
          </Suspense>
        ) : (
          <>
            <Places viewer={viewer} cameras={about.cameras} />
            <FlightCard key={version.name} world={version.name ?? ""} path="" hasSurfaces={false} viewer={viewer} canvas={canvas} />
            <DrawCard world={version.name ?? ""} path="" hasSurfaces={false} see={viewer && (() => viewer.view)} />
            <HandOn version={version} />
          </>
        )}
      </div>
    </div>
  );
}

const KEYS: Readonly<Record<Movement, string>> = {
  orbit: "Drag to turn, two fingers or the right button to shift, the wheel to come closer. Keys: arrows shift, with Shift they turn.",
  walk: "W A S D or the arrows walk, Q and E sink and rise, Shift is faster; drag to look around. Touch: one finger looks, two walk.",
};

function lookOf(described: Described): Look {
  return { isAntialiased: described.is_antialiased ?? false, background: described.background_rgb ?? [0, 0, 0] };
}

/** A viewer that keeps the address at what is seen, once the camera rests. */
function beginViewer(canvas: HTMLCanvasElement, look: Look): Viewer {
  let timer = 0;
  try {
    return new Viewer(canvas, look, (view) => {
      // Counted where tests and measurements can see it: frames are drawn only where something changed.
      canvas.dataset.frames = String(Number(canvas.dataset.frames ?? 0) + 1);
      window.clearTimeout(timer);
      timer = window.setTimeout(() => {
        if (canvas.isConnected && canvas.dataset.ready === "true") window.history.replaceState(null, "", hashOf(view));
      }, RESTED_MS);
    });
  } catch {
    throw new PlatformError(
      "This browser cannot draw worlds: it has no WebGL 2, or it is switched off. Exports and pictures work all the same.",
      "WEBGL_MISSING",
    );
  }
}

async function fillViewer(
  viewer: Viewer,
  version: AssetVersion,
  cameras: readonly TakenFrom[],
  onProgress: (share: number) => void,
  signal: AbortSignal,
): Promise<void> {
  const files = version.files ?? [];
  const [found] = SHOWN.flatMap(([pattern, isUpsideDown]) =>
    files.filter((file) => pattern.test(file.path ?? "")).map((file) => ({ path: file.path ?? "", isUpsideDown })),
  );
  if (!found) throw new PlatformError("This file cannot be shown here; export it as SPZ or PLY and upload that, or download it.", "NOT_SHOWN");
  const bytes = await fetchFile(version.name ?? "", found.path, onProgress, signal);
  await viewer.load(bytes, found.path, found.isUpsideDown).catch(() => {
    throw new PlatformError("The world's file cannot be read by this page; it may be damaged. Export it anew.", "WORLD_UNREADABLE");
  });
  const [first] = cameras;
  const view = first ? viewOf(first) : viewer.overview();
  viewer.goTo(viewInHash(window.location.hash, view.verticalFieldRad) ?? view);
}

async function savePicture(viewer: Viewer, asset: Asset): Promise<void> {
  try {
    const address = URL.createObjectURL(await viewer.picture());
    const link = document.createElement("a");
    link.href = address;
    link.download = `${asset.displayName || "world"}.png`;
    link.click();
    setTimeout(() => URL.revokeObjectURL(address), 10_000);
  } catch (problem) {
    announce(tell(problem));
  }
}

function Places({ viewer, cameras }: { readonly viewer: Viewer | undefined; readonly cameras: readonly TakenFrom[] }) {
  return (
    <section className="card stack tight" aria-labelledby="places">
      <h2 id="places">Places</h2>
      <button type="button" className="button tight" disabled={!viewer} onClick={() => viewer?.goTo(viewer.overview())}>
        The whole
      </button>
      {cameras.length > 0 && (
        <label className="field">
          <span>From where a picture was taken</span>
          <select
            disabled={!viewer}
            defaultValue=""
            onChange={(event) => {
              const camera = cameras[Number(event.target.value)];
              if (camera) viewer?.goTo(viewOf(camera));
            }}
          >
            <option value="" disabled>
              Choose
            </option>
            {cameras.map((camera, index) => (
              <option key={camera.name} value={index}>
                {camera.name}
              </option>
            ))}
          </select>
        </label>
      )}
    </section>
  );
}
