// Editing a world in the page: select, change, take back, save as a new world.
import { type FormEvent, type RefObject, useEffect, useState } from "react";
import { call } from "../client/http";
import { assetOfVersion, finish, metadataOf } from "../client/operations";
import { session } from "../client/session";
import { useStore } from "../client/store";
import type { Asset, AssetVersion, DiffEditsResponse, EditStack, SaveWorldResponse } from "../contract/generated";
import { Problem } from "../parts/problem";
import { Link } from "../parts/router";
import { useAnswer } from "../parts/use-answer";
import { ago, count } from "../parts/words";
import { Changes, outcomeOf } from "./edit-changes";
import { EditSession, type Together } from "./edit-session";
import { SelectionTools } from "./edit-tools";
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
          <Comparison edit={edit} stack={stack} />
        </div>
      </details>
    </section>
  );
}

/** How what is shown differs from another branch, or from the world that all began with. */
function Comparison({ edit, stack }: { readonly edit: EditSession; readonly stack: EditStack }) {
  const [found, setFound] = useState<{ readonly with: string; readonly etag: string; readonly diff: DiffEditsResponse }>();
  const [problem, setProblem] = useState<unknown>();
  const compare = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const branch = String(new FormData(event.currentTarget).get("other") ?? "");
    setProblem(undefined);
    try {
      setFound({ with: branch || "the world itself", etag: stack.etag ?? "", diff: await edit.compareWith(branch) });
    } catch (error) {
      setProblem(error);
    }
  };
  return (
    <>
      <form className="row" onSubmit={(event) => void compare(event)}>
        <label className="field">
          <span>Compare with</span>
          <select name="other">
            <option value="">the world itself</option>
            {stack.branches
              ?.filter(({ name }) => name !== stack.currentBranch)
              .map(({ name }) => (
                <option key={name} value={name}>
                  {name}
                </option>
              ))}
          </select>
        </label>
        <button type="submit" className="button tight">
          Compare
        </button>
      </form>
      {problem !== undefined && <Problem problem={problem} />}
      {found?.etag === stack.etag && found && (
        <p role="status" className="small">
          Against {found.with}: {differenceOf(found.diff)}
        </p>
      )}
    </>
  );
}

function differenceOf(diff: DiffEditsResponse): string {
  const parts = [
    [diff.addedCount, "more"],
    [diff.removedCount, "fewer"],
    [diff.movedCount, "moved"],
    [diff.recoloredCount, "of another colour"],
  ] as const;
  const words = parts.filter(([number]) => (number ?? 0) > 0).map(([number, what]) => `${(number ?? 0).toLocaleString("en")} ${what}`);
  return words.length > 0 ? `${words.join(", ")}.` : "no difference.";
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
