// Angles over time, drawn as SVG: solid where sure, faint where doubtful, nothing where nothing was measured. A click goes to that time.
import { type KeyboardEvent, memo, type PointerEvent, useRef } from "react";
import { angleInWords, degrees } from "../parts/words";
import { type Person, rowAt, spanOf, stretchesOf } from "./motion";

const WIDTH = 720;
const HEIGHT = 260;
const LEFT = 46;
const RIGHT = 10;
const TOP = 10;
const BOTTOM = 26;
const STEP_S = 0.1;
const MAX_POINTS = 3000;
export const COLOUR_COUNT = 6;

interface Props {
  readonly person: Person;
  readonly names: readonly string[];
  readonly durationS: number;
  readonly nowS: number;
  readonly onSeek: (timeS: number) => void;
}

export function Curves({ person, names, durationS, nowS, onSeek }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const xOf = (timeS: number) => LEFT + (timeS / durationS) * (WIDTH - LEFT - RIGHT);
  const seek = (event: PointerEvent) => {
    const edge = box.current?.getBoundingClientRect();
    if (!edge) return;
    const share = (((event.clientX - edge.left) / edge.width) * WIDTH - LEFT) / (WIDTH - LEFT - RIGHT);
    onSeek(Math.min(1, Math.max(0, share)) * durationS);
  };
  const step = (event: KeyboardEvent) => {
    const steps: Record<string, number> = { ArrowLeft: -STEP_S, ArrowRight: STEP_S, PageDown: -1, PageUp: 1, Home: -durationS, End: durationS };
    const move = steps[event.key];
    if (move === undefined) return;
    event.preventDefault();
    onSeek(Math.min(durationS, Math.max(0, nowS + move)));
  };
  const row = rowAt(person.time_s, nowS);
  return (
    <div
      ref={box}
      className="curves"
      role="slider"
      tabIndex={0}
      aria-label="Time in the recording, with the curves of the angles"
      aria-valuemin={0}
      aria-valuemax={Number(durationS.toFixed(2))}
      aria-valuenow={Number(nowS.toFixed(2))}
      aria-valuetext={`${nowS.toFixed(2)} seconds. ${names.map((name) => `${angleInWords(name)} ${degrees(person.angles[name]?.filtered_deg[row])}`).join(", ")}`}
      onPointerDown={(event) => {
        event.currentTarget.setPointerCapture(event.pointerId);
        seek(event);
      }}
      onPointerMove={(event) => event.buttons === 1 && seek(event)}
      onKeyDown={step}
    >
      <svg viewBox={`0 0 ${WIDTH} ${HEIGHT}`} aria-hidden="true">
        <Lines person={person} names={names} durationS={durationS} />
        <line className="now" x1={xOf(nowS)} x2={xOf(nowS)} y1={TOP} y2={HEIGHT - BOTTOM} />
      </svg>
    </div>
  );
}

const Lines = memo(function Lines({ person, names, durationS }: Pick<Props, "person" | "names" | "durationS">) {
  const angles = names.flatMap((name) => (person.angles[name] ? [person.angles[name]] : []));
  const [low, high] = spanOf(angles);
  const xOf = (timeS: number) => LEFT + (timeS / durationS) * (WIDTH - LEFT - RIGHT);
  const yOf = (value: number) => TOP + ((high - value) / (high - low)) * (HEIGHT - TOP - BOTTOM);
  const levels = ticksOf(low, high, 5);
  const moments = ticksOf(0, durationS, 6);
  return (
    <g>
      {levels.map((level) => (
        <g key={level}>
          <line className="grid" x1={LEFT} x2={WIDTH - RIGHT} y1={yOf(level)} y2={yOf(level)} />
          <text x={LEFT - 7} y={yOf(level) + 4} textAnchor="end">
            {level}°
          </text>
        </g>
      ))}
      {moments.map((moment) => (
        <text key={moment} x={xOf(moment)} y={HEIGHT - 7} textAnchor="middle">
          {Number(moment.toFixed(2))} s
        </text>
      ))}
      {angles.map((angle, index) => {
        const stride = Math.max(1, Math.floor(angle.filtered_deg.length / MAX_POINTS));
        return stretchesOf(angle).map((stretch) => (
          <polyline
            key={`${names[index]} ${stretch.rows[0]} ${stretch.isSure}`}
            points={stretch.rows
              .filter((_, place) => place % stride === 0 || place === stretch.rows.length - 1)
              .map((row) => `${xOf(person.time_s[row] ?? 0).toFixed(1)},${yOf(angle.filtered_deg[row] ?? 0).toFixed(1)}`)
              .join(" ")}
            fill="none"
            stroke={`var(--curve-${(index % COLOUR_COUNT) + 1})`}
            strokeWidth={stretch.isSure ? 2 : 1.4}
            strokeOpacity={stretch.isSure ? 1 : 0.38}
            strokeDasharray={stretch.isSure ? undefined : "4 3"}
            strokeLinejoin="round"
          />
        ));
      })}
    </g>
  );
});

/** Round numbers between two, about so many. */
export function ticksOf(low: number, high: number, about: number): readonly number[] {
  const rough = (high - low) / about;
  if (!(rough > 0)) return [low];
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough) ?? 10 * power;
  const ticks: number[] = [];
  for (let tick = Math.ceil(low / step - 1e-9) * step; tick <= high + step * 1e-6; tick += step) ticks.push(Number(tick.toFixed(6)));
  return ticks;
}
