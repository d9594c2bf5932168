// The library: bring something in, see what there is and what runs.
import { useEffect, useState } from "react";
import { call } from "../client/http";
import { KIND_WORDS } from "../client/kinds";
import { operations } from "../client/operations";
import { session } from "../client/session";
import { useStore } from "../client/store";
import { uploads, type Wish } from "../client/uploads";
import type { Kind } from "../contract/generated";
import { Problem } from "../parts/problem";
import { useAnswer } from "../parts/use-answer";
import { AssetCard } from "./asset-card";
import { UploadPanel } from "./upload-panel";
import { WordsPanel } from "./words-panel";
import { WorkPanel } from "./work-panel";

const PAGE_SIZE = 24;
const SEARCH_PAUSE_MS = 300;
const SHOWN: readonly Kind[] = ["KIND_VIDEO", "KIND_MOTION", "KIND_IMAGE_SET", "KIND_WORLD", "KIND_CLIP", "KIND_FILE"];

export function LibraryPage() {
  const [wish, setWish] = useState<Wish>();
  useEffect(() => {
    document.title = "Library · Praxiscope";
  }, []);
  return (
    <div className="library">
      <div className="stack">
        <h1>Library</h1>
        <section className="makers" aria-label="Make something">
          <UploadPanel key={wish ? `again ${wish.name}` : "new"} wish={wish} onDone={() => setWish(undefined)} />
          <WordsPanel />
        </section>
      </div>
      <WorkPanel onChange={setWish} />
      <AssetList />
    </div>
  );
}

function AssetList() {
  const [kind, setKind] = useState<Kind | "">("");
  const [typed, setTyped] = useState("");
  const [words, setWords] = useState("");
  // Where each page before began, the first with nothing.
  const [starts, setStarts] = useState<readonly string[]>([""]);
  useEffect(() => {
    const timer = setTimeout(() => setWords(typed.trim()), SEARCH_PAUSE_MS);
    return () => clearTimeout(timer);
  }, [typed]);
  const filter = filterOf(kind, words);
  // biome-ignore lint/correctness/useExhaustiveDependencies: another question begins on its first page
  useEffect(() => setStarts([""]), [filter]);
  const pageToken = starts.at(-1) ?? "";
  const list = useAnswer(`${filter} ${pageToken}`, () =>
    call("AssetService_ListAssets", { path: { parent: session.project }, query: { pageSize: PAGE_SIZE, pageToken, filter } }),
  );
  const doneCount =
    useStore(operations).filter((operation) => operation.done).length + useStore(uploads).filter((upload) => upload.stage === "done").length;
  const { again } = list;
  // biome-ignore lint/correctness/useExhaustiveDependencies: what has come to its end may have made an asset
  useEffect(again, [doneCount, again]);
  const assets = list.value?.assets ?? [];
  const isFiltered = filter !== "";
  return (
    <section className="stack" aria-labelledby="assets">
      <h2 id="assets">Assets</h2>
      <search className="finder">
        <label>
          <span className="visually-hidden">Find by name</span>
          <input type="search" placeholder="Find by name" value={typed} maxLength={200} onChange={(event) => setTyped(event.target.value)} />
        </label>
        <label>
          <span className="visually-hidden">Kind</span>
          <select value={kind} onChange={(event) => setKind(event.target.value as Kind | "")}>
            <option value="">Every kind</option>
            {SHOWN.map((item) => (
              <option key={item} value={item}>
                {KIND_WORDS[item]}
              </option>
            ))}
          </select>
        </label>
      </search>
      {list.problem !== undefined && !list.isLoading && <Problem problem={list.problem} retry={again} />}
      {list.value && assets.length === 0 && (
        <p className="soft card">
          {isFiltered ? "Nothing fits. Try another word or kind." : "Nothing here yet. Upload a video or photos above, or describe a world."}
        </p>
      )}
      <ul className="assets" aria-busy={list.isLoading}>
        {assets.map((asset) => (
          <li key={asset.name}>
            <AssetCard asset={asset} />
          </li>
        ))}
      </ul>
      {(starts.length > 1 || list.value?.nextPageToken) && (
        <nav className="row" aria-label="Pages">
          <button type="button" className="button" disabled={starts.length === 1} onClick={() => setStarts(starts.slice(0, -1))}>
            Newer
          </button>
          <span className="soft small">Page {starts.length}</span>
          <button
            type="button"
            className="button"
            disabled={!list.value?.nextPageToken}
            onClick={() => setStarts([...starts, list.value?.nextPageToken ?? ""])}
          >
            Older
          </button>
        </nav>
      )}
    </section>
  );
}

/** A filter of the library's (AIP-160) for a kind and a part of a name. */
export function filterOf(kind: Kind | "", words: string): string {
  const conditions = kind ? [`kind = ${kind}`] : [];
  if (words) conditions.push(`display_name : "${words.replace(/[\\"]/g, "\\$&")}"`);
  return conditions.join(" AND ");
}
