// A flight through a world or about a mesh: its stops, flown here before it is drawn, and drawn by the platform into a video.
import { type FormEvent, type RefObject, useCallback, useEffect, useMemo, useRef, useState } from "react";
import { PlatformError } from "../client/errors";
import { call, newRequestId } from "../client/http";
import { announce } from "../parts/announce";
import { Problem } from "../parts/problem";
import { count } from "../parts/words";
import { pinholeOf } from "./cameras";
import { EngineFields, settingsOf } from "./engines";
import type { Flight } from "./flight";
import { Drawing } from "./flight-drawing";
import {
  added,
  FRAME_RATE_HZ,
  flightAlong,
  frameCountOf,
  keepPlan,
  keptPlan,
  lengthOf,
  MAX_STOPS,
  moved,
  PAUSE_RANGE_S,
  type Plan,
  refusalOf,
  removed,
  type Stop,
  timesOf,
} from "./flight-plan";
import { Stops } from "./flight-stops";
import type { Flown } from "./led-camera";

const KEEP_KEY = "k";
const THUMBNAIL_PX = [128, 80] as const;
const SIZES: readonly (readonly [string, number, number])[] = [
  ["Small, 640 × 360", 640, 360],
  ["Usual, 960 × 540", 960, 540],
  ["Large, 1920 × 1080", 1920, 1080],
  ["Upright, 720 × 1280", 720, 1280],
];
const USUAL_SIZE = 1;

interface Props {
  /** The version. */
  readonly world: string;
  /** The file in it; empty where the platform finds it. */
  readonly path: string;
  /** Whether it is a mesh, and no Gaussians. */
  readonly hasSurfaces: boolean;
  readonly viewer: Flown | undefined;
  /** Where a key keeps what is seen. */
  readonly canvas: RefObject<HTMLCanvasElement | null>;
}

export function FlightCard({ world, path, hasSurfaces, viewer, canvas }: Props) {
  const [plan, setPlan] = useState<Plan>(() => keptPlan(world));
  const [problem, setProblem] = useState<unknown>();
  const [isStarting, setStarting] = useState(false);
  useEffect(() => keepPlan(world, plan), [world, plan]);
  const change = useCallback((make: (before: Plan) => Plan) => {
    setPlan(make);
    setProblem(undefined);
  }, []);
  const stopCount = plan.stops.length;
  const keep = useCallback(() => {
    if (!viewer) return;
    if (stopCount >= MAX_STOPS) {
      announce(`A flight has at most ${MAX_STOPS} stops here; take one away first.`);
      return;
    }
    const stop: Stop = { id: newRequestId(), view: viewer.view, picture: viewer.thumbnail(...THUMBNAIL_PX) };
    change((before) => added(before, stop));
    announce(`Kept as stop ${stopCount + 1}.`);
  }, [viewer, stopCount, change]);
  useEffect(() => {
    const surface = canvas.current;
    const press = (event: KeyboardEvent) => {
      if (event.key.toLowerCase() === KEEP_KEY && !event.ctrlKey && !event.metaKey && !event.altKey && !event.repeat) keep();
    };
    surface?.addEventListener("keydown", press);
    return () => surface?.removeEventListener("keydown", press);
  }, [canvas, keep]);
  const draw = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const form = new FormData(event.currentTarget);
    const refusal = refusalOf(plan);
    setProblem(refusal && new PlatformError(refusal, "INVALID_FLIGHT"));
    if (refusal) return;
    setStarting(true);
    try {
      const [, widthPx = 0, heightPx = 0] = SIZES[Number(form.get("size"))] ?? [];
      const times = timesOf(plan);
      const waypoints = plan.stops.map((stop, index) => ({
        camera: pinholeOf(stop.view, widthPx, heightPx),
        timeOffset: `${(times[index] ?? 0).toFixed(3)}s`,
      }));
      const started = await call("WorldRenderingService_RenderFlight", {
        path: { world },
        body: { waypoints, frameRateHz: FRAME_RATE_HZ, widthPx, heightPx, settings: settingsOf(form, path), requestId: newRequestId() },
      });
      change((before) => ({ ...before, operation: started.name ?? "" }));
    } catch (error) {
      setProblem(error);
    }
    setStarting(false);
  };
  const forget = useCallback(() => change((before) => ({ ...before, operation: "" })), [change]);
  return (
    <section className="card stack tight" aria-labelledby="flight">
      <h2 id="flight">Flight</h2>
      <p className="small soft">
        Keep the views that it passes through. <kbd>K</kbd> does so, too, while the {hasSurfaces ? "mesh" : "world"} has the focus.
      </p>
      <div>
        <button type="button" className="button tight" disabled={!viewer} aria-keyshortcuts={KEEP_KEY} onClick={keep}>
          Keep this view
        </button>
      </div>
      <Stops
        stops={plan.stops}
        onGo={(stop) => viewer?.goTo(stop.view)}
        onMove={(stop, by) => change((before) => moved(before, stop.id, by))}
        onRemove={(stop) => change((before) => removed(before, stop.id))}
      />
      {viewer && stopCount > 1 && <Rehearsal plan={plan} viewer={viewer} />}
      <form className="stack tight" onSubmit={(event) => void draw(event)}>
        <PauseField pauseS={plan.pauseS} onChange={(pauseS) => change((before) => ({ ...before, pauseS }))} />
        <label className="field">
          <span>Size</span>
          <select name="size" defaultValue={USUAL_SIZE}>
            {SIZES.map(([words], index) => (
              <option key={words} value={index}>
                {words}
              </option>
            ))}
          </select>
        </label>
        <EngineFields hasSurfaces={hasSurfaces} />
        {stopCount > 1 && (
          <p className="small soft">
            {count(stopCount, "stop")}, {lengthOf(plan).toFixed(1)} s, {count(frameCountOf(plan), "frame")}.
          </p>
        )}
        <div>
          <button type="submit" className="button tight" disabled={isStarting || !viewer}>
            Draw the flight
          </button>
        </div>
      </form>
      {problem !== undefined && <Problem problem={problem} />}
      {plan.operation && <Drawing key={plan.operation} operation={plan.operation} onGone={forget} />}
    </section>
  );
}

/** Seconds between the stops; what is no number of them stays in the field, is told by it, and changes nothing. */
function PauseField({ pauseS, onChange }: { readonly pauseS: number; readonly onChange: (pauseS: number) => void }) {
  const [leastS, mostS] = PAUSE_RANGE_S;
  return (
    <label className="field">
      <span>Seconds from one stop to the next</span>
      <input
        type="number"
        required
        min={leastS}
        max={mostS}
        step={0.1}
        inputMode="decimal"
        defaultValue={pauseS}
        onChange={(event) => event.target.validity.valid && onChange(event.target.valueAsNumber)}
      />
    </label>
  );
}

/** The flight as it will be, in the viewer: played, or led by hand to any moment of it. */
function Rehearsal({ plan, viewer }: { readonly plan: Plan; readonly viewer: Flown }) {
  const { stops, pauseS } = plan;
  const endS = lengthOf(plan);
  const [timeS, setTimeS] = useState(0);
  const [played, setPlayed] = useState<Flight>();
  const flight = useMemo(() => flightAlong(stops, pauseS), [stops, pauseS]);
  // A plan that changed is another flight, and nobody asked for that one to be played.
  const isPlaying = played !== undefined && played === flight;
  const now = useRef(0);
  const be = useCallback(
    (nextS: number) => {
      now.current = Math.min(nextS, endS);
      setTimeS(now.current);
      if (flight) viewer.lead(flight(now.current));
    },
    [flight, endS, viewer],
  );
  useEffect(() => {
    if (!isPlaying) return;
    let frame = 0;
    let beforeMs = performance.now();
    const step = (nowMs: number) => {
      // Whoever touched the world has taken the camera back.
      if (!viewer.isLed) return setPlayed(undefined);
      be(now.current + (nowMs - beforeMs) / 1000);
      beforeMs = nowMs;
      if (now.current >= endS) return setPlayed(undefined);
      frame = requestAnimationFrame(step);
    };
    be(now.current < endS ? now.current : 0);
    frame = requestAnimationFrame(step);
    return () => cancelAnimationFrame(frame);
  }, [isPlaying, be, endS, viewer]);
  const shownS = Math.min(timeS, endS);
  return (
    <div className="rehearsal">
      <button type="button" className="button tight" onClick={() => setPlayed(() => (isPlaying ? undefined : flight))}>
        {isPlaying ? "Stop" : "Play"}
      </button>
      <input
        type="range"
        min={0}
        max={endS}
        step="any"
        value={shownS}
        aria-label="Moment of the flight"
        aria-valuetext={`${shownS.toFixed(1)} of ${endS.toFixed(1)} seconds`}
        onChange={(event) => {
          setPlayed(undefined);
          be(event.target.valueAsNumber);
        }}
      />
      <output className="small soft">{shownS.toFixed(1)} s</output>
    </div>
  );
}
