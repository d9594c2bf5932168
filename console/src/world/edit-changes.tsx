// What a person does to what is selected.
import { type FormEvent, useState } from "react";
import { call } from "../client/http";
import { session } from "../client/session";
import type { Edit, EditOperation, Transform } from "../contract/generated";
import { announce } from "../parts/announce";
import { Problem } from "../parts/problem";
import { useAnswer } from "../parts/use-answer";
import type { EditSession } from "./edit-session";
import { colourOf, Numbers } from "./edit-tools";
import type { Viewer } from "./viewer";

type Vector = readonly [number, number, number];

const LISTED_COUNT = 200;
const MESH_FILE = /\.(glb|gltf|obj)$/i;

interface Props {
  readonly edit: EditSession;
  readonly viewer: Viewer;
  readonly isBusy: boolean;
  readonly hasSelection: boolean;
}

type Apply = (operation: EditOperation, words: string) => Promise<void>;

export function Changes({ edit, viewer, isBusy, hasSelection }: Props) {
  const apply: Apply = async (operation, words) => {
    const done = await edit.apply(operation, words);
    if (done) announce(outcomeOf(done), "Undo", () => void edit.undo());
  };
  const needs = isBusy || !hasSelection;
  const step = (viewer.splats?.radius ?? 1) / 50;
  return (
    <section className="card stack tight" aria-labelledby="change">
      <h2 id="change">Change</h2>
      <div className="row">
        <button type="button" className="button tight" disabled={needs} onClick={() => void apply({ delete: {} }, "Deleting…")}>
          Delete
        </button>
        <button type="button" className="button tight" disabled={needs} onClick={() => void apply({ crop: {} }, "Cropping…")}>
          Keep only this
        </button>
        <button type="button" className="button tight" disabled={isBusy} onClick={() => void apply({ removeFloaters: {} }, "Looking for floaters…")}>
          Remove floaters
        </button>
        <button type="button" className="button tight" disabled={isBusy} onClick={() => void apply({ levelGround: {} }, "Levelling…")}>
          Level the ground
        </button>
        <button
          type="button"
          className="button tight"
          disabled={needs}
          title="Select what surrounds the hole"
          onClick={() => void apply({ fillHole: {} }, "Filling the hole…")}
        >
          Fill the hole
        </button>
      </div>
      <details>
        <summary>Colour</summary>
        <Colouring apply={apply} isOff={needs} />
      </details>
      <details>
        <summary>Light</summary>
        <Lighting apply={apply} isOff={isBusy} />
      </details>
      <details>
        <summary>Move, copy</summary>
        <Moving apply={apply} isOff={needs} step={step} />
      </details>
      <details>
        <summary>Put in another world</summary>
        <Inserting apply={apply} isOff={isBusy} step={step} start={viewer.splats?.centre ?? [0, 0, 0]} />
      </details>
    </section>
  );
}

interface FormProps {
  readonly apply: Apply;
  readonly isOff: boolean;
}

function Colouring({ apply, isOff }: FormProps) {
  const [colour, setColour] = useState("#7aa37a");
  return (
    <form className="row" onSubmit={submitting(() => apply({ recolor: { target: colourOf(colour) } }, "Colouring…"))}>
      <label className="row">
        <input type="color" value={colour} onChange={(event) => setColour(event.target.value)} /> New colour
      </label>
      <button type="submit" className="button tight" disabled={isOff}>
        Colour it
      </button>
    </form>
  );
}

/** A far light by where it stands: how high, and in which direction of the compass about the y axis. */
function Lighting({ apply, isOff }: FormProps) {
  const [colour, setColour] = useState("#fff1d6");
  const [heightDeg, setHeightDeg] = useState(45);
  const [aroundDeg, setAroundDeg] = useState(30);
  const [strength, setStrength] = useState(0.9);
  const [ambient, setAmbient] = useState(0.4);
  const light = () => {
    const [height, around] = [(heightDeg * Math.PI) / 180, (aroundDeg * Math.PI) / 180];
    const direction = { x: Math.cos(height) * Math.sin(around), y: Math.sin(height), z: Math.cos(height) * Math.cos(around) };
    return apply({ relight: { direction, color: colourOf(colour), intensity: strength, ambient } }, "Lighting…");
  };
  return (
    <form className="stack tight" onSubmit={submitting(light)}>
      <label className="row">
        <input type="color" value={colour} onChange={(event) => setColour(event.target.value)} /> Colour of the light
      </label>
      <Slider words="Height" unit="°" value={heightDeg} low={-90} high={90} step={1} onChange={setHeightDeg} />
      <Slider words="Direction" unit="°" value={aroundDeg} low={0} high={360} step={1} onChange={setAroundDeg} />
      <Slider words="Strength" unit="" value={strength} low={0.05} high={3} step={0.05} onChange={setStrength} />
      <Slider words="From everywhere" unit="" value={ambient} low={0} high={2} step={0.05} onChange={setAmbient} />
      <div>
        <button type="submit" className="button tight" disabled={isOff}>
          Light it
        </button>
      </div>
    </form>
  );
}

interface SliderProps {
  readonly words: string;
  readonly unit: string;
  readonly value: number;
  readonly low: number;
  readonly high: number;
  readonly step: number;
  readonly onChange: (value: number) => void;
}

function Slider({ words, unit, value, low, high, step, onChange }: SliderProps) {
  return (
    <label className="field">
      <span>
        {words}: {value}
        {unit}
      </span>
      <input type="range" min={low} max={high} step={step} value={value} onChange={(event) => onChange(event.target.valueAsNumber)} />
    </label>
  );
}

function Moving({ apply, isOff, step }: FormProps & { readonly step: number }) {
  const [shift, setShift] = useState<Vector>([0, 0, 0]);
  const [turnDeg, setTurnDeg] = useState(0);
  const [scale, setScale] = useState(1);
  const transform = transformOf(shift, turnDeg, scale);
  return (
    <form className="stack tight" onSubmit={submitting(() => apply({ transform }, "Moving…"))}>
      <Numbers words="By" value={shift} step={step} onChange={setShift} />
      <TurnAndScale turnDeg={turnDeg} scale={scale} onTurn={setTurnDeg} onScale={setScale} />
      <div className="row">
        <button type="submit" className="button tight" disabled={isOff}>
          Move it
        </button>
        <button type="button" className="button tight" disabled={isOff} onClick={() => void apply({ duplicate: { transform } }, "Copying…")}>
          Put a copy there
        </button>
      </div>
    </form>
  );
}

function Inserting({ apply, isOff, step, start }: FormProps & { readonly step: number; readonly start: Vector }) {
  const [place, setPlace] = useState<Vector>(() => start.map((value) => Number(value.toFixed(3))) as unknown as Vector);
  const [turnDeg, setTurnDeg] = useState(0);
  const [scale, setScale] = useState(1);
  const [problem, setProblem] = useState<unknown>();
  const found = useAnswer("what can be put in", async () => {
    const [worlds, files] = await Promise.all([assetsOf("KIND_WORLD"), assetsOf("KIND_FILE")]);
    return [...worlds, ...files];
  });
  const insert = async (event: FormEvent<HTMLFormElement>) => {
    const latest = String(new FormData(event.currentTarget).get("source") ?? "");
    setProblem(undefined);
    try {
      const source = { assetVersion: latest, path: await pathIn(latest) };
      await apply({ insert: { source, transform: transformOf(place, turnDeg, scale) } }, "Putting it in…");
    } catch (error) {
      setProblem(error);
    }
  };
  return (
    <form
      className="stack tight"
      onSubmit={(event) => {
        event.preventDefault();
        void insert(event);
      }}
    >
      {found.problem !== undefined && <Problem problem={found.problem} retry={found.again} />}
      <label className="field">
        <span>World or mesh</span>
        <select name="source" required>
          {found.value?.map(({ latestVersion, displayName, name }) => (
            <option key={name} value={latestVersion}>
              {displayName || name}
            </option>
          ))}
        </select>
      </label>
      <Numbers words="At" value={place} step={step} onChange={setPlace} />
      <TurnAndScale turnDeg={turnDeg} scale={scale} onTurn={setTurnDeg} onScale={setScale} />
      {problem !== undefined && <Problem problem={problem} />}
      <div>
        <button type="submit" className="button tight" disabled={isOff || !found.value?.length}>
          Put it in
        </button>
      </div>
    </form>
  );
}

async function assetsOf(kind: "KIND_WORLD" | "KIND_FILE") {
  const answer = await call("AssetService_ListAssets", {
    path: { parent: session.project },
    query: { pageSize: LISTED_COUNT, filter: `kind = ${kind}` },
  });
  return (answer.assets ?? []).filter(({ latestVersion }) => latestVersion);
}

/** The mesh's own file where a version holds several; nothing where the platform finds the file by itself. */
async function pathIn(assetVersion: string): Promise<string> {
  const version = await call("AssetService_GetAssetVersion", { path: { name: assetVersion } });
  const files = version.files ?? [];
  if (files.length === 1 || files.some(({ path }) => path === "world.ply")) return "";
  return files.find(({ path }) => MESH_FILE.test(path ?? ""))?.path ?? "";
}

interface TurnProps {
  readonly turnDeg: number;
  readonly scale: number;
  readonly onTurn: (turnDeg: number) => void;
  readonly onScale: (scale: number) => void;
}

function TurnAndScale({ turnDeg, scale, onTurn, onScale }: TurnProps) {
  return (
    <div className="three">
      <label className="field">
        <span>Turn, °</span>
        <input type="number" step="any" value={turnDeg} onChange={(event) => onTurn(event.target.valueAsNumber || 0)} />
      </label>
      <label className="field">
        <span>Times</span>
        <input type="number" step="any" min={0.001} max={1000} value={scale} onChange={(event) => onScale(event.target.valueAsNumber || 1)} />
      </label>
    </div>
  );
}

/** A shift, a turn about the y axis and a scale, as the contract has them. */
function transformOf([x, y, z]: Vector, turnDeg: number, scale: number): Transform {
  const half = (turnDeg * Math.PI) / 360;
  return { translation: { x, y, z }, rotation: { w: Math.cos(half), x: 0, y: Math.sin(half), z: 0 }, scale };
}

function submitting(work: () => Promise<void>): (event: FormEvent<HTMLFormElement>) => void {
  return (event) => {
    event.preventDefault();
    void work();
  };
}

/** What an edit did, in a few words. */
export function outcomeOf(edit: Edit): string {
  const parts = [
    [edit.removedCount, "taken away"],
    [edit.changedCount, "changed"],
    [edit.addedCount, "added"],
  ] as const;
  const words = parts.filter(([number]) => (number ?? 0) > 0).map(([number, what]) => `${(number ?? 0).toLocaleString("en")} ${what}`);
  return words.length > 0 ? `${words.join(", ")}.` : "Nothing had to be changed.";
}
