// Editing one world: the platform's edit stack, and the page's own Gaussians, which follow it without being read again.

import { PlatformError } from "../client/errors";
import { call, newRequestId } from "../client/http";
import { session } from "../client/session";
import { Store } from "../client/store";
import type { DiffEditsResponse, Edit, EditOperation, EditStack, Operation, SelectGaussiansResponse, Selection } from "../contract/generated";
import { bytesOf, maskOf, rowsOf } from "./mask";
import type { Snapshot, Splats } from "./splats";
import type { Viewer } from "./viewer";

const MAX_ROWS = 50_000;
export const BASE = "base";

/** How a new selection goes together with the one before. */
export type Together = "new" | "add" | "remove" | "within";

export interface Selected {
  readonly selection: Selection;
  readonly rows: Uint32Array;
  readonly gaussianCount: number;
}

export interface EditState {
  readonly stack: EditStack;
  readonly selected: Selected | undefined;
  /** What is being done, for people; nothing is started meanwhile. */
  readonly busy: string;
  readonly problem: unknown;
}

/** What an edit did to the page's rows, so that it can be taken back and done anew here. */
interface Done {
  readonly before: Snapshot;
  readonly after: Snapshot;
  readonly firstAdded: number;
  readonly rowCount: number;
}

export class EditSession extends Store<EditState> {
  readonly #done = new Map<string, Done>();

  private constructor(
    stack: EditStack,
    private readonly viewer: Viewer,
    private readonly splats: Splats,
  ) {
    super({ stack, selected: undefined, busy: "", problem: undefined });
  }

  /** Begins editing a world anew. */
  static async begin(world: string, name: string, viewer: Viewer): Promise<EditSession> {
    const editStack = { baseWorld: world, displayName: name };
    const stack = await call("EditService_CreateEditStack", { path: { parent: session.project }, body: { editStack, requestId: newRequestId() } });
    return EditSession.#over(stack, viewer);
  }

  /** Goes on with what was begun before. */
  static async resume(name: string, viewer: Viewer): Promise<EditSession> {
    return EditSession.#over(await call("EditService_GetEditStack", { path: { name } }), viewer);
  }

  static async #over(stack: EditStack, viewer: Viewer): Promise<EditSession> {
    if (!viewer.splats) throw new PlatformError("The world is not there yet; wait until it is shown.", "NOT_SHOWN");
    const made = new EditSession(stack, viewer, viewer.splats);
    // A page that shows other rows than the platform counts would select and hide the wrong ones.
    if (headOf(stack) !== "" || stack.baseGaussianCount !== viewer.splats.count) await made.#readAll();
    return made;
  }

  /** The edits of the current branch, in their order; those that were undone last. */
  get line(): readonly { readonly edit: Edit; readonly isUndone: boolean }[] {
    const { stack } = this.value;
    const branch = branchOf(stack);
    const known = new Map((stack.edits ?? []).map((edit) => [edit.id ?? "", edit]));
    const line: { edit: Edit; isUndone: boolean }[] = [];
    let isUndone = branch?.tipId !== branch?.headId;
    for (let edit = known.get(branch?.tipId ?? ""); edit; edit = known.get(edit.parentId ?? "")) {
      if (edit.id === branch?.headId) isUndone = false;
      line.unshift({ edit, isUndone });
    }
    return line;
  }

  get canUndo(): boolean {
    return headOf(this.value.stack) !== "";
  }

  get canRedo(): boolean {
    const branch = branchOf(this.value.stack);
    return (branch?.tipId ?? "") !== (branch?.headId ?? "");
  }

  select(selection: Selection, together: Together): Promise<void> {
    return this.#work("Selecting…", async () => {
      const asked = this.#together(selection, together);
      const answer = await call("EditService_SelectGaussians", { path: { name: this.#name }, body: { selection: asked } });
      this.#show(asked, answer);
    });
  }

  invert(): Promise<void> {
    const { selected } = this.value;
    if (!selected) return this.select({ everything: {} }, "new");
    return this.select({ ...selected.selection, inverted: !selected.selection.inverted }, "new");
  }

  /** All that hangs together with what is selected. */
  grow(gapM: number): Promise<void> {
    const { selected } = this.value;
    if (!selected) return Promise.resolve();
    return this.select({ connected: { gapM, seed: this.#asMask(selected) } }, "new");
  }

  unselect(): void {
    this.splats.unmark();
    this.viewer.refresh();
    this.#set({ selected: undefined });
  }

  apply(operation: EditOperation, words: string): Promise<Edit | undefined> {
    return this.#work(words, async () => {
      const { stack, selected } = this.value;
      const body = { etag: stack.etag ?? "", operation, requestId: newRequestId(), ...(selected ? { selection: selected.selection } : {}) };
      const answer = await call("EditService_ApplyEdit", { path: { name: this.#name }, body });
      const edit = answer.edit ?? {};
      this.splats.unmark();
      await this.#follow(edit, rowsOf(answer.removedMask ?? ""), rowsOf(answer.changedMask ?? ""), answer.firstAddedRow ?? 0);
      this.viewer.refresh();
      this.#set({ stack: await this.#read(), selected: undefined });
      return edit;
    });
  }

  undo(): Promise<void> {
    return this.#work("Undoing…", async () => {
      const { stack } = this.value;
      const taken = headOf(stack);
      const now = await call("EditService_UndoEdit", { path: { name: this.#name }, body: { etag: stack.etag ?? "" } });
      const done = this.#done.get(taken);
      await this.#redraw(now, () => {
        if (!done) return false;
        this.splats.restore(done.before);
        if (done.firstAdded > 0) this.splats.shorten(done.firstAdded);
        return true;
      });
    });
  }

  redo(): Promise<void> {
    return this.#work("Redoing…", async () => {
      const { stack } = this.value;
      const now = await call("EditService_RedoEdit", { path: { name: this.#name }, body: { etag: stack.etag ?? "" } });
      const done = this.#done.get(headOf(now));
      await this.#redraw(now, () => {
        if (!done) return false;
        this.splats.restore(done.after);
        return true;
      });
    });
  }

  switchTo(branch: string): Promise<void> {
    return this.#work("Changing the branch…", async () => {
      const now = await call("EditService_SwitchBranch", { path: { name: this.#name }, body: { etag: this.value.stack.etag ?? "", branch } });
      await this.#redraw(now, () => false);
    });
  }

  branch(branch: string): Promise<void> {
    return this.#work("Making a branch…", async () => {
      const body = { etag: this.value.stack.etag ?? "", branch };
      this.#set({ stack: await call("EditService_CreateBranch", { path: { name: this.#name }, body }) });
    });
  }

  /** How what is shown differs from a branch's head; from the world that all began with where none is named. */
  compareWith(branch: string): Promise<DiffEditsResponse> {
    const { stack } = this.value;
    const other = stack.branches?.find(({ name }) => name === branch);
    const query = { fromEditId: other?.headId || BASE, toEditId: headOf(stack) || BASE };
    return call("EditService_DiffEdits", { path: { name: this.#name }, query });
  }

  /** Has a new world made of what is shown. */
  save(displayName: string): Promise<Operation> {
    return call("EditService_SaveWorld", { path: { name: this.#name }, body: { displayName, requestId: newRequestId() } });
  }

  get #name(): string {
    return this.value.stack.name ?? "";
  }

  #set(change: Partial<EditState>): void {
    this.set({ ...this.value, ...change });
  }

  /** Does one thing at a time; what goes wrong is shown, and the stack read anew where somebody else changed it. */
  async #work<T>(busy: string, work: () => Promise<T>): Promise<T | undefined> {
    if (this.value.busy) return undefined;
    this.#set({ busy, problem: undefined });
    try {
      return await work();
    } catch (problem) {
      this.#set({ problem });
      const wasElsewhere = problem instanceof PlatformError && (problem.reason === "ETAG_MISMATCH" || problem.isTransient);
      if (wasElsewhere) {
        await this.#read().then(
          (stack) => this.#redraw(stack, () => stack.etag === this.value.stack.etag),
          () => undefined,
        );
      }
      return undefined;
    } finally {
      this.#set({ busy: "" });
    }
  }

  #read(): Promise<EditStack> {
    return call("EditService_GetEditStack", { path: { name: this.#name } });
  }

  async #redraw(stack: EditStack, change: () => boolean): Promise<void> {
    this.splats.unmark();
    this.#set({ stack, selected: undefined });
    if (!change()) await this.#readAll();
    this.viewer.refresh();
  }

  #together(selection: Selection, together: Together): Selection {
    const { selected } = this.value;
    if (!selected || together === "new") return selection;
    const method = together === "add" ? "METHOD_UNION" : together === "remove" ? "METHOD_DIFFERENCE" : "METHOD_INTERSECTION";
    return { combined: { method, parts: [this.#asMask(selected), selection] } };
  }

  /** A selection as the rows it holds: small, and never nested deeper with every step. */
  #asMask({ rows }: Selected): Selection {
    return { mask: { bits: maskOf(rows, this.splats.count) } };
  }

  #show(asked: Selection, answer: SelectGaussiansResponse): void {
    const rows = rowsOf(answer.mask ?? "");
    this.splats.mark(rows);
    this.viewer.refresh();
    const selection = asked.combined && rows.length > 0 ? { mask: { bits: maskOf(rows, this.splats.count) } } : asked;
    this.#set({ selected: { selection, rows, gaussianCount: answer.gaussianCount ?? 0 } });
  }

  /** Does to the page's rows what an edit did to the platform's. */
  async #follow(edit: Edit, removed: Uint32Array, changed: Uint32Array, firstAdded: number): Promise<void> {
    const rowCount = edit.rowCount ?? this.splats.count;
    const touched = Uint32Array.from([...removed, ...changed]);
    const before = this.splats.snapshot(touched);
    this.splats.hide(removed);
    const [first] = changed;
    const last = changed.at(-1);
    if (first !== undefined && last !== undefined) await this.#readRows(first, last + 1, edit.id ?? "", new Set(changed));
    if (firstAdded > 0) await this.#readRows(firstAdded, rowCount, edit.id ?? "");
    const added = firstAdded > 0 ? Uint32Array.from({ length: rowCount - firstAdded }, (_, place) => firstAdded + place) : new Uint32Array(0);
    const after = this.splats.snapshot(Uint32Array.from([...touched, ...added]));
    this.#done.set(edit.id ?? "", { before, after, firstAdded, rowCount });
  }

  async #readAll(): Promise<void> {
    const editId = headOf(this.value.stack) || BASE;
    const { rowCount } = await this.#readRows(0, Number.POSITIVE_INFINITY, editId);
    this.splats.shorten(rowCount);
    // What was remembered of edits holds for rows as they were read before.
    this.#done.clear();
    this.viewer.refresh();
  }

  async #readRows(first: number, end: number, editId: string, only?: ReadonlySet<number>): Promise<{ rowCount: number }> {
    let rowCount = 0;
    for (let row = first; row < end; ) {
      const query = { editId, startRow: row, rowCount: Math.min(MAX_ROWS, end - row) };
      const answer = await call("EditService_ReadGaussians", { path: { name: this.#name }, query });
      this.splats.write(row, bytesOf(answer.rows ?? ""), only);
      rowCount = answer.rowCount ?? 0;
      if (!answer.nextRow) break;
      row = answer.nextRow;
    }
    return { rowCount };
  }
}

function branchOf(stack: EditStack) {
  return stack.branches?.find((branch) => branch.name === stack.currentBranch);
}

/** The edit that is shown; empty for the world itself. */
export function headOf(stack: EditStack): string {
  return branchOf(stack)?.headId ?? "";
}
