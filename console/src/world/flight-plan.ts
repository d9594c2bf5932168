// The stops of a flight through a world, as the person keeps them: in order, and in this browser until they sign out.
import { keep, readKept } from "../client/kept";
import type { View } from "./cameras";
import { type Flight, flightThrough } from "./flight";

export interface Stop {
  readonly id: string;
  readonly view: View;
  /** A small picture of what is seen there, as an address; empty where there is none. */
  readonly picture: string;
}

export interface Plan {
  readonly stops: readonly Stop[];
  /** Seconds from one stop to the next. */
  readonly pauseS: number;
  /** The operation that drew it last; empty where none did. */
  readonly operation: string;
}

export const EMPTY_PLAN: Plan = { stops: [], pauseS: 2, operation: "" };
export const FRAME_RATE_HZ = 30;
/** The platform's own limit. */
export const MAX_FRAMES = 3600;
/** Fewer than the platform takes: each has a picture, and a browser keeps a few megabytes for a page. */
export const MAX_STOPS = 100;
export const PAUSE_RANGE_S = [0.1, 60] as const;

const KEPT = "flights";
const MAX_PLANS = 8;
const PICTURE = /^data:image\/(jpeg|png);base64,[\w+/=]+$/;

export function added(plan: Plan, stop: Stop): Plan {
  return { ...plan, stops: [...plan.stops, stop] };
}

export function removed(plan: Plan, id: string): Plan {
  return { ...plan, stops: plan.stops.filter((stop) => stop.id !== id) };
}

/** One stop earlier or later in the order; what is first or last already stays. */
export function moved(plan: Plan, id: string, by: -1 | 1): Plan {
  const stops = [...plan.stops];
  const from = stops.findIndex((stop) => stop.id === id);
  const [stop, other] = [stops[from], stops[from + by]];
  if (!stop || !other) return plan;
  [stops[from], stops[from + by]] = [other, stop];
  return { ...plan, stops };
}

/** When the flight is at each stop, in seconds. */
export function timesOf(plan: Plan): readonly number[] {
  return plan.stops.map((_, index) => index * plan.pauseS);
}

export function lengthOf(plan: Plan): number {
  return timesOf(plan).at(-1) ?? 0;
}

export function frameCountOf(plan: Plan): number {
  return Math.round(lengthOf(plan) * FRAME_RATE_HZ) + 1;
}

/** The flight along stops; nothing while there are not two. */
export function flightAlong(stops: readonly Stop[], pauseS: number): Flight | undefined {
  if (stops.length < 2) return undefined;
  return flightThrough(
    stops.map((stop) => stop.view),
    stops.map((_, index) => index * pauseS),
  );
}

/** Why a plan cannot be drawn, for people; nothing where it can. */
export function refusalOf(plan: Plan): string | undefined {
  if (plan.stops.length < 2)
    return `A flight goes from stop to stop and has ${plan.stops.length === 0 ? "none yet" : "only one"}. Look where it shall go, and keep two views or more.`;
  if (frameCountOf(plan) > MAX_FRAMES)
    return `This flight takes ${Math.round(lengthOf(plan))} seconds, and at most ${MAX_FRAMES / FRAME_RATE_HZ} are drawn. Leave less time between the stops, or take some away.`;
  return undefined;
}

/** The plan that was kept for a world; an empty one where none was, or where what was kept is none. */
export function keptPlan(world: string): Plan {
  const kept = keptPlans()[world];
  if (typeof kept !== "object" || kept === null) return EMPTY_PLAN;
  const { stops, pauseS, operation } = kept as Partial<Record<keyof Plan, unknown>>;
  const [leastS, mostS] = PAUSE_RANGE_S;
  return {
    stops: Array.isArray(stops) ? stops.filter(isStop).slice(0, MAX_STOPS) : [],
    pauseS: typeof pauseS === "number" && pauseS >= leastS && pauseS <= mostS ? pauseS : EMPTY_PLAN.pauseS,
    operation: typeof operation === "string" ? operation : "",
  };
}

/** Keeps a world's plan; the plans of worlds that were left longest ago go, all but this one where the browser has no room. */
export function keepPlan(world: string, plan: Plan): void {
  const { [world]: _, ...others } = keptPlans();
  const own = plan.stops.length === 0 && plan.operation === "" ? {} : { [world]: plan };
  // A browser that keeps nothing even so has the stops as long as the page is open.
  if (!keep(KEPT, { ...Object.fromEntries(Object.entries(others).slice(1 - MAX_PLANS)), ...own })) keep(KEPT, own);
}

function keptPlans(): Readonly<Record<string, unknown>> {
  const kept = readKept(KEPT);
  return typeof kept === "object" && kept !== null && !Array.isArray(kept) ? (kept as Record<string, unknown>) : {};
}

function isStop(kept: unknown): kept is Stop {
  const stop = kept as Partial<Stop> | null;
  const view = stop?.view as Partial<View> | undefined;
  return (
    typeof stop?.id === "string" &&
    typeof stop.picture === "string" &&
    (stop.picture === "" || PICTURE.test(stop.picture)) &&
    [view?.position, view?.forward, view?.up].every((vector) => Array.isArray(vector) && vector.length === 3 && vector.every(Number.isFinite)) &&
    typeof view?.verticalFieldRad === "number" &&
    view.verticalFieldRad > 0 &&
    view.verticalFieldRad < Math.PI
  );
}
