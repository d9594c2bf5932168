// What a person selects with: a box, a ball, a brush, a colour.
import { type RefObject, useCallback, useEffect, useRef, useState } from "react";
import type { Selection } from "../contract/generated";
import { pinholeOf } from "./cameras";
import type { Viewer } from "./viewer";

type Vector = readonly [number, number, number];
export type Tool = "box" | "ball" | "brush" | "colour";

const TOOLS: readonly (readonly [Tool, string])[] = [
  ["box", "Box"],
  ["ball", "Ball"],
  ["brush", "Brush"],
  ["colour", "Colour"],
];
const MAX_POINTS = 512;
const CLICK_PX = 4;

interface Props {
  readonly viewer: Viewer;
  readonly canvas: RefObject<HTMLCanvasElement | null>;
  readonly isBusy: boolean;
  readonly onSelect: (selection: Selection) => void;
}

export function SelectionTools({ viewer, canvas, isBusy, onSelect }: Props) {
  const [tool, setTool] = useState<Tool>("box");
  return (
    <>
      <fieldset className="row">
        <legend className="visually-hidden">Select with</legend>
        {TOOLS.map(([name, words]) => (
          <button key={name} type="button" className="button tight" aria-pressed={tool === name} onClick={() => setTool(name)}>
            {words}
          </button>
        ))}
      </fieldset>
      {(tool === "box" || tool === "ball") && (
        <ShapeTool key={tool} isRound={tool === "ball"} viewer={viewer} canvas={canvas} isBusy={isBusy} onSelect={onSelect} />
      )}
      {tool === "brush" && <BrushTool viewer={viewer} canvas={canvas} isBusy={isBusy} onSelect={onSelect} />}
      {tool === "colour" && <ColourTool viewer={viewer} canvas={canvas} isBusy={isBusy} onSelect={onSelect} />}
    </>
  );
}

/** Calls back with the Gaussian under a click that was no drag. */
function usePick(viewer: Viewer, canvas: RefObject<HTMLCanvasElement | null>, onPick: (row: number) => void): void {
  useEffect(() => {
    const element = canvas.current;
    if (!element) return;
    let start: { x: number; y: number } | undefined;
    const down = (event: PointerEvent) => {
      start = { x: event.offsetX, y: event.offsetY };
    };
    const up = (event: PointerEvent) => {
      if (!start || Math.hypot(event.offsetX - start.x, event.offsetY - start.y) > CLICK_PX) return;
      const row = viewer.splats?.pick(event.offsetX, event.offsetY, viewer.project);
      if (row !== undefined) onPick(row);
    };
    element.addEventListener("pointerdown", down);
    element.addEventListener("pointerup", up);
    return () => {
      element.removeEventListener("pointerdown", down);
      element.removeEventListener("pointerup", up);
    };
  }, [viewer, canvas, onPick]);
}

function ShapeTool({ isRound, viewer, canvas, isBusy, onSelect }: Props & { readonly isRound: boolean }) {
  const radius = viewer.splats?.radius ?? 1;
  const [center, setCenter] = useState<Vector>(() => rounded(viewer.splats?.centre ?? [0, 0, 0]));
  const [size, setSize] = useState<Vector>(() => rounded([radius / 2, radius / 2, radius / 2]));
  usePick(
    viewer,
    canvas,
    useCallback((row: number) => setCenter(rounded(viewer.splats?.centreOf(row) ?? [0, 0, 0])), [viewer]),
  );
  useEffect(() => {
    viewer.guide({ isRound, center, size });
    return () => viewer.guide();
  }, [viewer, isRound, center, size]);
  const [x, y, z] = center;
  const [width, height, depth] = size;
  const select = () =>
    onSelect(
      isRound ? { sphere: { center: { x, y, z }, radiusM: width / 2 } } : { box: { center: { x, y, z }, size: { x: width, y: height, z: depth } } },
    );
  return (
    <form
      className="stack tight"
      onSubmit={(event) => {
        event.preventDefault();
        select();
      }}
    >
      <p className="small soft">Click into the world to put its middle there, or type numbers.</p>
      <Numbers words="Middle" value={center} step={radius / 50} onChange={setCenter} />
      {isRound ? (
        <LengthSlider
          words="Radius"
          value={width / 2}
          low={radius / 200}
          high={radius * 2}
          onChange={(value) => setSize([2 * value, 2 * value, 2 * value])}
        />
      ) : (
        <Numbers words="Lengths" value={size} step={radius / 50} isPositive onChange={setSize} />
      )}
      <div>
        <button type="submit" className="button tight" disabled={isBusy}>
          Select
        </button>
      </div>
    </form>
  );
}

const AXES = ["x", "y", "z"] as const;

interface NumbersProps {
  readonly words: string;
  readonly value: Vector;
  readonly step: number;
  readonly isPositive?: boolean;
  readonly onChange: (value: Vector) => void;
}

/** Three numbers along the axes. */
export function Numbers({ words, value, step, isPositive = false, onChange }: NumbersProps) {
  return (
    <fieldset className="field">
      <legend>{words}</legend>
      <div className="three">
        {AXES.map((axis, index) => (
          <label key={axis}>
            <span className="visually-hidden">
              {words} {axis}
            </span>
            <input
              type="number"
              step="any"
              min={isPositive ? step / 1000 : undefined}
              value={value[index]}
              onChange={(event) => {
                const given = event.target.valueAsNumber;
                if (Number.isFinite(given) && (!isPositive || given > 0))
                  onChange(value.map((old, place) => (place === index ? given : old)) as unknown as Vector);
              }}
            />
          </label>
        ))}
      </div>
    </fieldset>
  );
}

interface SliderProps {
  readonly words: string;
  readonly value: number;
  readonly low: number;
  readonly high: number;
  readonly onChange: (value: number) => void;
}

/** A length, on a scale on which each step is as many times larger. */
function LengthSlider({ words, value, low, high, onChange }: SliderProps) {
  return (
    <label className="field">
      <span>
        {words}: {value.toPrecision(3)}
      </span>
      <input
        type="range"
        min={Math.log(low)}
        max={Math.log(high)}
        step={0.01}
        value={Math.log(value)}
        aria-valuetext={value.toPrecision(3)}
        onChange={(event) => onChange(Math.exp(event.target.valueAsNumber))}
      />
    </label>
  );
}

function BrushTool({ viewer, canvas, isBusy, onSelect }: Props) {
  const [radiusPx, setRadiusPx] = useState(24);
  const [isThrough, setThrough] = useState(false);
  const latest = useRef({ radiusPx, isThrough, isBusy, onSelect });
  latest.current = { radiusPx, isThrough, isBusy, onSelect };
  useEffect(() => {
    const element = canvas.current;
    const drawing = element?.parentElement?.querySelector("svg[data-stroke]");
    if (!element || !drawing) return;
    viewer.isHeld = true;
    const line = document.createElementNS("http://www.w3.org/2000/svg", "polyline");
    drawing.append(line);
    let points: { xPx: number; yPx: number }[] = [];
    const add = (event: PointerEvent) => {
      points.push({ xPx: event.offsetX, yPx: event.offsetY });
      line.setAttribute("points", points.map(({ xPx, yPx }) => `${xPx},${yPx}`).join(" "));
      line.setAttribute("stroke-width", String(2 * latest.current.radiusPx));
    };
    const down = (event: PointerEvent) => {
      if (latest.current.isBusy || event.button !== 0) return;
      element.setPointerCapture(event.pointerId);
      points = [];
      add(event);
    };
    const move = (event: PointerEvent) => {
      if (points.length > 0 && event.buttons === 1 && points.length < MAX_POINTS) add(event);
    };
    const up = () => {
      line.setAttribute("points", "");
      if (points.length === 0) return;
      const camera = pinholeOf(viewer.view, element.clientWidth, element.clientHeight);
      latest.current.onSelect({ brush: { camera, points, radiusPx: latest.current.radiusPx, through: latest.current.isThrough } });
      points = [];
    };
    element.addEventListener("pointerdown", down);
    element.addEventListener("pointermove", move);
    element.addEventListener("pointerup", up);
    return () => {
      viewer.isHeld = false;
      line.remove();
      element.removeEventListener("pointerdown", down);
      element.removeEventListener("pointermove", move);
      element.removeEventListener("pointerup", up);
    };
  }, [viewer, canvas]);
  return (
    <div className="stack tight">
      <p className="small soft">Draw over what you mean. Turn the world first: while the brush is chosen, dragging draws.</p>
      <label className="field">
        <span>Width</span>
        <input type="range" min={4} max={120} value={radiusPx} onChange={(event) => setRadiusPx(event.target.valueAsNumber)} />
      </label>
      <label className="row">
        <input type="checkbox" checked={isThrough} onChange={(event) => setThrough(event.target.checked)} /> Also what lies behind
      </label>
    </div>
  );
}

function ColourTool({ viewer, canvas, isBusy, onSelect }: Props) {
  const [colour, setColour] = useState("#808080");
  const [tolerance, setTolerance] = useState(15);
  usePick(
    viewer,
    canvas,
    useCallback((row: number) => setColour(hexOf(viewer.splats?.colourOf(row) ?? [0.5, 0.5, 0.5])), [viewer]),
  );
  return (
    <form
      className="stack tight"
      onSubmit={(event) => {
        event.preventDefault();
        onSelect({ nearColor: { color: colourOf(colour), tolerance } });
      }}
    >
      <p className="small soft">Click into the world to take its colour, or choose one.</p>
      <div className="row">
        <label className="row">
          <input type="color" value={colour} onChange={(event) => setColour(event.target.value)} /> Colour
        </label>
      </div>
      <label className="field">
        <span>How far from it: {tolerance}</span>
        <input type="range" min={1} max={80} value={tolerance} onChange={(event) => setTolerance(event.target.valueAsNumber)} />
      </label>
      <div>
        <button type="submit" className="button tight" disabled={isBusy}>
          Select
        </button>
      </div>
    </form>
  );
}

/** A colour of `#rrggbb`, each channel 0 to 1. */
export function colourOf(hex: string): { red: number; green: number; blue: number } {
  const channel = (start: number) => Number.parseInt(hex.slice(start, start + 2), 16) / 255;
  return { red: channel(1), green: channel(3), blue: channel(5) };
}

export function hexOf(colour: Vector): string {
  return `#${colour
    .map((level) =>
      Math.round(level * 255)
        .toString(16)
        .padStart(2, "0"),
    )
    .join("")}`;
}

function rounded(vector: Vector): Vector {
  return vector.map((value) => Number(value.toPrecision(4))) as unknown as Vector;
}
