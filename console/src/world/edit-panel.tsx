// Editing a world in the page: select, change, take back, save as a new world.
import { type FormEvent, type RefObject, useEffect, useState } from "react";
import { call } from "../client/http";
import { assetOfVersion, finish, metadataOf } from "../client/operations";
import { session } from "../client/session";
import { useStore } from "../client/store";
import type { Asset, AssetVersion, Edit, EditOperation, EditStack, SaveWorldResponse } from "../contract/generated";
import { announce } from "../parts/announce";
import { Problem } from "../parts/problem";
import { Link } from "../parts/router";
import { useAnswer } from "../parts/use-answer";
import { ago, count } from "../parts/words";
import { EditSession, type Together } from "./edit-session";
import { colourOf, Numbers, SelectionTools } from "./edit-tools";
import type { Viewer } from "./viewer";

const LISTED_COUNT = 100;
const TOGETHER: readonly (readonly [Together, string])[] = [
  ["new", "Anew"],
  ["add", "Add"],
  ["remove", "Take away"],
  ["within", "Only within"],
];

interface Props {
  readonly asset: Asset;
  readonly version: AssetVersion;
  readonly viewer: Viewer;
  readonly canvas: RefObject<HTMLCanvasElement | null>;
}

export default function EditPanel({ asset, version, viewer, canvas }: Props) {
  const [edit, setEdit] = useState<EditSession>();
  if (edit) return <Editing edit={edit} asset={asset} viewer={viewer} canvas={canvas} />;
  return <Begin asset={asset} version={version} viewer={viewer} onBegin={setEdit} />;
}

interface BeginProps extends Pick<Props, "asset" | "version" | "viewer"> {
  readonly onBegin: (edit: EditSession) => void;
}

function Begin({ asset, version, viewer, onBegin }: BeginProps) {
  const world = version.name ?? "";
  const stacks = useAnswer(`stacks ${world}`, async () => {
    const answer = await call("EditService_ListEditStacks", { path: { parent: session.project }, query: { pageSize: LISTED_COUNT } });
    return (answer.editStacks ?? []).filter((stack) => stack.baseWorld === world && (stack.editCount ?? 0) > 0);
  });
  const [problem, setProblem] = useState<unknown>();
  const [isBusy, setBusy] = useState(false);
  const start = async (work: () => Promise<EditSession>) => {
    setBusy(true);
    setProblem(undefined);
    try {
      onBegin(await work());
    } catch (error) {
      setProblem(error);
      setBusy(false);
    }
  };
  return (
    <section className="card stack tight" aria-labelledby="edit">
      <h2 id="edit">Edit</h2>
      <p className="small soft">The world itself stays as it is; what you make of it is saved as a new one.</p>
      {stacks.problem !== undefined && <Problem problem={stacks.problem} retry={stacks.again} />}
      {problem !== undefined && <Problem problem={problem} />}
      <div>
        <button
          type="button"
          className="button main"
          disabled={isBusy}
          onClick={() => void start(() => EditSession.begin(world, asset.displayName ?? "", viewer))}
        >
          {isBusy ? "Reading the world…" : "Start editing"}
        </button>
      </div>
      {stacks.value?.map((stack) => (
        <button
          key={stack.name}
          type="button"
          className="button tight"
          disabled={isBusy}
          onClick={() => void start(() => EditSession.resume(stack.name ?? "", viewer))}
        >
          Go on with {count(stack.editCount ?? 0, "edit")} of {ago(stack.updateTime)}
        </button>
      ))}
    </section>
  );
}

interface EditingProps extends Pick<Props, "asset" | "viewer" | "canvas"> {
  readonly edit: EditSession;
}

function Editing({ edit, asset, viewer, canvas }: EditingProps) {
  const state = useStore(edit);
  const [together, setTogether] = useState<Together>("new");
  useEffect(() => {
    const press = (event: KeyboardEvent) => {
      if (!(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== "z" || event.target instanceof HTMLInputElement) return;
      event.preventDefault();
      void (event.shiftKey ? edit.redo() : edit.undo());
    };
    window.addEventListener("keydown", press);
    return () => window.removeEventListener("keydown", press);
  }, [edit]);
  useEffect(() => () => edit.unselect(), [edit]);
  const isBusy = state.busy !== "";
  return (
    <>
      <section className="card stack tight" aria-labelledby="select">
        <h2 id="select">Select</h2>
        <SelectionTools viewer={viewer} canvas={canvas} isBusy={isBusy} onSelect={(selection) => void edit.select(selection, together)} />
        <label className="field">
          <span>Together with what is selected</span>
          <select value={together} onChange={(event) => setTogether(event.target.value as Together)}>
            {TOGETHER.map(([value, words]) => (
              <option key={value} value={value}>
                {words}
              </option>
            ))}
          </select>
        </label>
        <Selected edit={edit} viewer={viewer} isBusy={isBusy} />
      </section>
      <Changes edit={edit} viewer={viewer} isBusy={isBusy} hasSelection={(state.selected?.rows.length ?? 0) > 0} />
      <History edit={edit} stack={state.stack} isBusy={isBusy} />
      <p className="small soft" role="status">
        {state.busy}
      </p>
      {state.problem !== undefined && <Problem problem={state.problem} />}
      <Saving edit={edit} asset={asset} />
    </>
  );
}

function Selected({ edit, viewer, isBusy }: { readonly edit: EditSession; readonly viewer: Viewer; readonly isBusy: boolean }) {
  const { selected } = edit.value;
  return (
    <>
      <p role="status" className="small">
        {selected
          ? `${selected.rows.length.toLocaleString("en")} of ${count(selected.gaussianCount, "Gaussian")} selected.`
          : "Nothing is selected; changes mean the whole world."}
      </p>
      <div className="row">
        <button type="button" className="button tight" disabled={isBusy} onClick={() => void edit.invert()}>
          Invert
        </button>
        <button
          type="button"
          className="button tight"
          disabled={isBusy || !selected}
          onClick={() => void edit.grow((viewer.splats?.radius ?? 1) / 40)}
        >
          Grow
        </button>
        <button type="button" className="button tight" disabled={isBusy || !selected} onClick={() => edit.unselect()}>
          Unselect
        </button>
      </div>
    </>
  );
}

interface ChangesProps {
  readonly edit: EditSession;
  readonly viewer: Viewer;
  readonly isBusy: boolean;
  readonly hasSelection: boolean;
}

function Changes({ edit, viewer, isBusy, hasSelection }: ChangesProps) {
  const [colour, setColour] = useState("#7aa37a");
  const [shift, setShift] = useState<readonly [number, number, number]>([0, 0, 0]);
  const [turnDeg, setTurnDeg] = useState(0);
  const [scale, setScale] = useState(1);
  const apply = async (operation: EditOperation, words: string) => {
    const done = await edit.apply(operation, words);
    if (done) announce(outcomeOf(done), "Undo", () => void edit.undo());
  };
  const needs = isBusy || !hasSelection;
  const half = (turnDeg * Math.PI) / 360;
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
      </div>
      <details>
        <summary>Colour</summary>
        <form
          className="row"
          onSubmit={(event) => {
            event.preventDefault();
            void apply({ recolor: { target: colourOf(colour) } }, "Colouring…");
          }}
        >
          <label className="row">
            <input type="color" value={colour} onChange={(event) => setColour(event.target.value)} /> New colour
          </label>
          <button type="submit" className="button tight" disabled={needs}>
            Colour it
          </button>
        </form>
      </details>
      <details>
        <summary>Move, turn, scale</summary>
        <form
          className="stack tight"
          onSubmit={(event) => {
            event.preventDefault();
            const [x, y, z] = shift;
            void apply({ transform: { translation: { x, y, z }, rotation: { w: Math.cos(half), x: 0, y: Math.sin(half), z: 0 }, scale } }, "Moving…");
          }}
        >
          <Numbers words="By" value={shift} step={(viewer.splats?.radius ?? 1) / 50} onChange={setShift} />
          <div className="three">
            <label className="field">
              <span>Turn, °</span>
              <input type="number" step="any" value={turnDeg} onChange={(event) => setTurnDeg(event.target.valueAsNumber || 0)} />
            </label>
            <label className="field">
              <span>Times</span>
              <input type="number" step="any" min={0.001} max={1000} value={scale} onChange={(event) => setScale(event.target.valueAsNumber || 1)} />
            </label>
          </div>
          <div>
            <button type="submit" className="button tight" disabled={needs}>
              Move it
            </button>
          </div>
        </form>
      </details>
    </section>
  );
}

/** What an edit did, in a few words. */
function outcomeOf(edit: Edit): string {
  const parts = [
    [edit.removedCount, "taken away"],
    [edit.changedCount, "changed"],
    [edit.addedCount, "added"],
  ] as const;
  const words = parts.filter(([number]) => (number ?? 0) > 0).map(([number, what]) => `${(number ?? 0).toLocaleString("en")} ${what}`);
  return words.length > 0 ? `${words.join(", ")}.` : "Nothing had to be changed.";
}

function History({ edit, stack, isBusy }: { readonly edit: EditSession; readonly stack: EditStack; readonly isBusy: boolean }) {
  const { line } = edit;
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const name = String(new FormData(event.currentTarget).get("branch") ?? "").trim();
    void edit.branch(name);
  };
  return (
    <section className="card stack tight" aria-labelledby="history">
      <div className="row apart">
        <h2 id="history">Edits</h2>
        <div className="row">
          <button type="button" className="button tight" disabled={isBusy || !edit.canUndo} onClick={() => void edit.undo()}>
            Undo
          </button>
          <button type="button" className="button tight" disabled={isBusy || !edit.canRedo} onClick={() => void edit.redo()}>
            Redo
          </button>
        </div>
      </div>
      {line.length === 0 && <p className="small soft">None yet. Ctrl+Z undoes, Ctrl+Shift+Z redoes.</p>}
      <ol className="history">
        {line.map(({ edit: item, isUndone }) => (
          <li key={item.id} className={isUndone ? "undone" : ""}>
            <span>
              {item.summary || outcomeOf(item)}
              {isUndone && <span className="visually-hidden"> (undone)</span>}
              {item.consistency && !item.consistency.isConsistent && <span className="tag bad">changed something else</span>}
            </span>
          </li>
        ))}
      </ol>
      <details>
        <summary>Branches</summary>
        <div className="stack tight">
          <label className="field">
            <span>Branch</span>
            <select value={stack.currentBranch} disabled={isBusy} onChange={(event) => void edit.switchTo(event.target.value)}>
              {stack.branches?.map((branch) => (
                <option key={branch.name} value={branch.name}>
                  {branch.name}
                </option>
              ))}
            </select>
          </label>
          <form className="row" onSubmit={submit}>
            <label className="field">
              <span>A new one from here</span>
              <input name="branch" required maxLength={40} pattern="[a-z0-9][a-z0-9\-]*" title="Small letters, digits and dashes" />
            </label>
            <button type="submit" className="button tight" disabled={isBusy}>
              Branch
            </button>
          </form>
        </div>
      </details>
    </section>
  );
}

function Saving({ edit, asset }: { readonly edit: EditSession; readonly asset: Asset }) {
  const [progress, setProgress] = useState<number>();
  const [problem, setProblem] = useState<unknown>();
  const [saved, setSaved] = useState("");
  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const name = String(new FormData(event.currentTarget).get("name") ?? "").trim();
    setProblem(undefined);
    setSaved("");
    setProgress(0);
    try {
      const started = await edit.save(name);
      const operation = await finish(started.name ?? "", (current) => setProgress(metadataOf(current).progress ?? 0));
      setSaved(((operation.response ?? {}) as SaveWorldResponse).assetVersion ?? "");
    } catch (error) {
      setProblem(error);
    }
    setProgress(undefined);
  };
  return (
    <section className="card stack tight" aria-labelledby="save">
      <h2 id="save">Save as a new world</h2>
      <form className="stack tight" onSubmit={(event) => void submit(event)}>
        <label className="field">
          <span>Name</span>
          <input name="name" required maxLength={200} defaultValue={`${(asset.displayName ?? "World").slice(0, 190)}, edited`} />
        </label>
        <div>
          <button type="submit" className="button main" disabled={progress !== undefined}>
            {progress === undefined ? "Save" : "Saving…"}
          </button>
        </div>
      </form>
      {progress !== undefined && <progress max={1} value={progress} aria-label="Saving" />}
      {problem !== undefined && <Problem problem={problem} />}
      {saved && (
        <p className="note good">
          It is saved. <Link to={`/${assetOfVersion(saved)}`}>Open the new world</Link>
        </p>
      )}
    </section>
  );
}
