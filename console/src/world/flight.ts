// A flight through stops: the curve that the platform draws (services/rendering, core/flight.py), so that it can be flown here before it is drawn there.
// Each number of a camera is a cubic Hermite spline over time. At a stop it moves as the parabola through the stop and its two neighbours does, and not at all
// where the stop before or after is the same. tests/golden/worlds/flights.json holds both to the same numbers.
import { quaternionOf, type View, viewTurned } from "./cameras";

/** Where the flight is at a time, in seconds from its first stop. */
export type Flight = (timeS: number) => View;

/** A camera's numbers: the logarithm of its focal length in heights of the picture, its place, and its turn as a quaternion x, y, z, w. */
type Numbers = readonly number[];

/** Returns the flight through two stops or more, at times that grow; before the first and after the last it stays. */
export function flightThrough(stops: readonly View[], timesS: readonly number[]): Flight {
  const numbers = numbersOf(stops);
  const pausesS = timesS.slice(1).map((time, index) => time - (timesS[index] ?? 0));
  const speeds = pausesS.map((pause, index) => steps(numbers, index).map((step) => step / pause));
  const speedsAt = stops.map((_, index) => speedAt(index, speeds, pausesS));
  for (const index of pausesS.keys()) {
    if (steps(numbers, index).some((step) => step !== 0)) continue;
    speedsAt[index] = speedsAt[index + 1] = steps(numbers, index);
  }
  return (timeS) => {
    const within = Math.max(timesS[0] ?? 0, Math.min(timesS.at(-1) ?? 0, timeS));
    const index = Math.max(
      0,
      timesS.slice(0, -1).findLastIndex((time) => time <= within),
    );
    const pause = pausesS[index] ?? 1;
    const share = (within - (timesS[index] ?? 0)) / pause;
    const before = numbers[index] ?? [];
    const after = numbers[index + 1] ?? before;
    return viewOfNumbers(
      before.map((value, axis) =>
        hermite(share, value, after[axis] ?? 0, pause * (speedsAt[index]?.[axis] ?? 0), pause * (speedsAt[index + 1]?.[axis] ?? 0)),
      ),
    );
  };
}

function numbersOf(stops: readonly View[]): readonly Numbers[] {
  let [beforeX, beforeY, beforeZ, beforeW] = [0, 0, 0, 0];
  return stops.map((stop) => {
    let { w, x, y, z } = quaternionOf(stop);
    // Of the two quaternions that say the same, the one on the near side.
    if (beforeX * x + beforeY * y + beforeZ * z + beforeW * w < 0) [w, x, y, z] = [-w, -x, -y, -z];
    [beforeX, beforeY, beforeZ, beforeW] = [x, y, z, w];
    return [Math.log(0.5 / Math.tan(stop.verticalFieldRad / 2)), ...stop.position, x, y, z, w];
  });
}

function viewOfNumbers([logFocal = 0, x = 0, y = 0, z = 0, turnX = 0, turnY = 0, turnZ = 0, turnW = 1]: Numbers): View {
  const turn = { w: turnW, x: turnX, y: turnY, z: turnZ };
  return viewTurned(turn, [x, y, z], 2 * Math.atan(0.5 / Math.exp(logFocal)));
}

/** How far each number goes from a stop to the next. */
function steps(numbers: readonly Numbers[], index: number): Numbers {
  const before = numbers[index] ?? [];
  return (numbers[index + 1] ?? before).map((value, axis) => value - (before[axis] ?? 0));
}

function speedAt(index: number, speeds: readonly Numbers[], pausesS: readonly number[]): Numbers {
  const before = speeds[index - 1];
  const after = speeds[index];
  if (!before || !after) return before ?? after ?? [];
  const pauseBefore = pausesS[index - 1] ?? 0;
  const pauseAfter = pausesS[index] ?? 0;
  return before.map((speed, axis) => (pauseAfter * speed + pauseBefore * (after[axis] ?? 0)) / (pauseBefore + pauseAfter));
}

/** The cubic from one value to another, with these slopes at its ends; `share` goes from 0 to 1. */
function hermite(share: number, from: number, to: number, slopeFrom: number, slopeTo: number): number {
  const rest = 1 - share;
  return rest * rest * ((1 + 2 * share) * from + share * slopeFrom) + share * share * ((3 - 2 * share) * to - rest * slopeTo);
}
