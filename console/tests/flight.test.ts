import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { beforeEach, describe, expect, it, vi } from "vitest";
import type { View } from "../src/world/cameras";
import { flightThrough } from "../src/world/flight";
import { added, EMPTY_PLAN, frameCountOf, keepPlan, keptPlan, moved, type Plan, refusalOf, removed, type Stop } from "../src/world/flight-plan";

interface Case {
  readonly name: string;
  readonly timesS: readonly number[];
  readonly stops: readonly View[];
  readonly flown: readonly (View & { readonly timeS: number })[];
}

// What the platform flies; tests/golden/worlds/test_flights.py writes it, and holds the platform to it.
const CASES = JSON.parse(readFileSync(fileURLToPath(new URL("../../tests/golden/worlds/flights.json", import.meta.url)), "utf-8")) as readonly Case[];
const DIGITS = 6;

function expectSame(found: View, wanted: View): void {
  for (const key of ["position", "forward", "up"] as const)
    for (const [axis, value] of wanted[key].entries()) expect(found[key][axis], `${key} ${axis}`).toBeCloseTo(value, DIGITS);
  expect(found.verticalFieldRad).toBeCloseTo(wanted.verticalFieldRad, DIGITS);
}

describe("a flight", () => {
  it.each(CASES)("is what the platform draws: $name", ({ stops, timesS, flown }) => {
    const flight = flightThrough(stops, timesS);
    expect(flown.length).toBeGreaterThan(8);
    for (const wanted of flown) expectSame(flight(wanted.timeS), wanted);
  });

  it("stays at its ends", () => {
    const [{ stops, timesS }] = CASES as [Case];
    const flight = flightThrough(stops, timesS);
    expectSame(flight(-1), stops[0] as View);
    expectSame(flight(99), stops.at(-1) as View);
  });
});

const kept = new Map<string, string>();
vi.stubGlobal("localStorage", {
  getItem: (name: string) => kept.get(name) ?? null,
  setItem: (name: string, value: string) => {
    if (value.length > 100_000) throw new DOMException("full", "QuotaExceededError");
    kept.set(name, value);
  },
});

describe("a plan of a flight", () => {
  const view: View = { position: [0, 0, 0], forward: [0, 0, -1], up: [0, 1, 0], verticalFieldRad: 1 };
  const stop = (id: string, picture = ""): Stop => ({ id, view, picture });
  const planOf = (...ids: readonly string[]): Plan => ({ ...EMPTY_PLAN, stops: ids.map((id) => stop(id)) });
  const order = (plan: Plan) => plan.stops.map((item) => item.id).join("");

  beforeEach(() => kept.clear());

  it("has its stops moved within their order, and taken away", () => {
    expect(order(moved(planOf("a", "b", "c"), "b", -1))).toBe("bac");
    expect(order(moved(planOf("a", "b", "c"), "b", 1))).toBe("acb");
    expect(order(moved(planOf("a", "b", "c"), "a", -1))).toBe("abc");
    expect(order(moved(planOf("a", "b", "c"), "c", 1))).toBe("abc");
    expect(order(moved(planOf("a", "b"), "x", 1))).toBe("ab");
    expect(order(removed(added(planOf("a", "b"), stop("c")), "a"))).toBe("bc");
  });

  it("says why it cannot be drawn", () => {
    expect(refusalOf(EMPTY_PLAN)).toContain("none yet");
    expect(refusalOf(planOf("a"))).toContain("only one");
    expect(refusalOf(planOf("a", "b"))).toBeUndefined();
    expect(frameCountOf(planOf("a", "b", "c"))).toBe(121);
    expect(refusalOf({ ...planOf("a", "b", "c"), pauseS: 60 })).toContain("120 seconds");
    expect(refusalOf({ ...planOf("a", "b", "c"), pauseS: 59.9 })).toBeUndefined();
  });

  it("comes back as it was kept, each world's own, the newest eight", () => {
    for (const number of Array(10).keys()) keepPlan(`world ${number}`, planOf("a", String(number)));
    expect(keptPlan("world 9")).toEqual(planOf("a", "9"));
    expect(order(keptPlan("world 2"))).toBe("a2");
    expect(keptPlan("world 1")).toEqual(EMPTY_PLAN);
    keepPlan("world 9", EMPTY_PLAN);
    expect(keptPlan("world 9")).toEqual(EMPTY_PLAN);
    expect([...kept.values()].join()).not.toContain("world 9");
  });

  it("drives others out where the browser has no room", () => {
    const large = { ...EMPTY_PLAN, stops: [stop("a", `data:image/jpeg;base64,${"A".repeat(60_000)}`)] };
    keepPlan("one", large);
    keepPlan("two", large);
    expect(keptPlan("one")).toEqual(EMPTY_PLAN);
    expect(keptPlan("two")).toEqual(large);
  });

  it.each([
    "nonsense",
    "[]",
    '{"w":7}',
    '{"w":{"stops":[{"id":"a","picture":"","view":{"position":[1,2],"forward":[0,0,1],"up":[0,1,0],"verticalFieldRad":1}}]}}',
    '{"w":{"stops":[{"id":"a","picture":"javascript:x","view":{"position":[1,2,3],"forward":[0,0,1],"up":[0,1,0],"verticalFieldRad":1}}]}}',
    '{"w":{"stops":[null],"pauseS":1e9,"operation":5}}',
  ])("is empty where what was kept is none: %s", (text) => {
    kept.set("praxiscope-own-flights", text);
    expect(keptPlan("w")).toEqual(EMPTY_PLAN);
  });
});
