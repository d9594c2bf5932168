// What is under way: uploads of this page, and the project's operations.

import { useEffect } from "react";
import { tell } from "../client/errors";
import { call } from "../client/http";
import { assetOfVersion, metadataOf, operations, problemOf, resultOf } from "../client/operations";
import { useStore } from "../client/store";
import { type UploadState, uploads, type Wish } from "../client/uploads";
import type { Operation, ReconstructWorldResponse } from "../contract/generated";
import { announce } from "../parts/announce";
import { Link } from "../parts/router";
import { useAnswer } from "../parts/use-answer";
import { ago, bytesInWords, count } from "../parts/words";

const SHOWN_COUNT = 8;
// The training draws a new one as often.
const PREVIEW_PERIOD_MS = 4000;

export function WorkPanel({ onChange }: { readonly onChange: (wish: Wish) => void }) {
  const sent = useStore(uploads);
  const listed = useStore(operations).slice(0, SHOWN_COUNT);
  return (
    <aside className="card" aria-labelledby="work">
      <h2 id="work">Work</h2>
      {sent.length === 0 && listed.length === 0 && <p className="soft small">What runs, and what came of it, is shown here.</p>}
      <ul>
        {sent.map((upload) => (
          <li className="work" key={upload.id}>
            <UploadItem upload={upload} onChange={onChange} />
          </li>
        ))}
        {listed.map((operation) => (
          <li className="work" key={operation.name}>
            <OperationItem operation={operation} />
          </li>
        ))}
      </ul>
    </aside>
  );
}

const STAGES: Readonly<Record<UploadState["stage"], string>> = {
  packing: "Packing the photos",
  checking: "Reading the file",
  sending: "Uploading",
  waiting: "Waiting for the connection; it goes on by itself",
  finishing: "Checking what arrived",
  done: "Uploaded",
  failed: "Not uploaded",
  cancelled: "Cancelled",
};

function UploadItem({ upload, onChange }: { readonly upload: UploadState; readonly onChange: (wish: Wish) => void }) {
  const { id, stage, wish } = upload;
  const isOver = stage === "done" || stage === "failed" || stage === "cancelled";
  return (
    <>
      <h3>{wish.name}</h3>
      <p className="small soft" role={stage === "waiting" ? "status" : undefined}>
        {STAGES[stage]}
        {stage === "sending" && ` · ${bytesInWords(upload.sentBytes)} of ${bytesInWords(upload.sizeBytes)}`}
      </p>
      {!isOver && <progress max={1} value={upload.progress} aria-label={`${wish.name}: ${STAGES[stage]}`} />}
      {stage === "failed" && (
        <p className="note bad" role="alert">
          {upload.problem}
          {upload.reason && <span className="small soft"> {upload.reason}</span>}
        </p>
      )}
      <div className="row">
        {stage === "done" && (
          <Link className="button tight" to={`/${upload.asset?.name ?? ""}`}>
            Open
          </Link>
        )}
        {(stage === "failed" || stage === "cancelled") && (
          <>
            <button type="button" className="button tight" onClick={() => uploads.retry(id)} disabled={stage === "cancelled"}>
              Try again
            </button>
            <button
              type="button"
              className="button tight"
              onClick={() => {
                uploads.forget(id);
                onChange(wish);
              }}
            >
              Change
            </button>
          </>
        )}
        {isOver ? (
          <button type="button" className="button plain tight" onClick={() => uploads.forget(id)}>
            Dismiss
          </button>
        ) : (
          <button type="button" className="button tight" onClick={() => uploads.cancel(id)}>
            Cancel
          </button>
        )}
      </div>
    </>
  );
}

const METHODS: Readonly<Record<string, string>> = {
  AnalyzeMotion: "Motion analysis",
  ReconstructWorld: "World from pictures",
  GenerateWorld: "World from words",
  RenderTurntable: "Flight around a world",
  RenderFlight: "Flight through a world",
  RenderOverlay: "Drawn video",
  ExportWorld: "Export of a world",
  ExtractMesh: "Surface of a world",
  SaveWorld: "Edited world",
  TrackDetections: "Tracking",
};

const STATES: Readonly<Record<string, string>> = {
  STATE_QUEUED: "Waiting for a worker",
  STATE_RUNNING: "Running",
  STATE_RETRYING: "Trying again",
  STATE_CANCELLING: "Being cancelled",
  STATE_SUCCEEDED: "Done",
  STATE_FAILED: "Failed",
  STATE_CANCELLED: "Cancelled",
};

export function methodInWords(method: string | undefined): string {
  const name = (method ?? "").split("/").at(-1) ?? "";
  return METHODS[name] ?? name.replace(/([a-z])([A-Z])/g, "$1 $2");
}

export function OperationItem({ operation }: { readonly operation: Operation }) {
  const metadata = metadataOf(operation);
  const words = methodInWords(metadata.method);
  const state = metadata.state ?? "STATE_UNSPECIFIED";
  const problem = state === "STATE_CANCELLED" ? undefined : problemOf(operation);
  const result = resultOf(operation);
  const stage = metadata.stages?.find((item) => (item.progress ?? 0) > 0 && (item.progress ?? 0) < 1)?.name;
  return (
    <>
      <h3>{words}</h3>
      <p className="small soft">
        {STATES[state] ?? "Running"}
        {!operation.done && stage && ` · ${stage}`} · {ago(metadata.endTime ?? metadata.createTime)}
      </p>
      {assetOfTarget(metadata.target) && <Subject asset={assetOfTarget(metadata.target)} />}
      {!operation.done && (
        <progress max={1} value={metadata.progress ?? 0} aria-label={`${words}: ${Math.round((metadata.progress ?? 0) * 100)} %`} />
      )}
      {!operation.done && metadata.message && <p className="small soft">{metadata.message}</p>}
      {!operation.done && stage === "train" && <Preview name={operation.name ?? ""} />}
      {problem && (
        <p className="note bad">
          {problem.message} <span className="small soft">{problem.reason}</span>
        </p>
      )}
      <Placed operation={operation} />
      <div className="row">
        {result && (
          <Link className="button tight" to={`/${assetOfVersion(result)}`}>
            Open
          </Link>
        )}
        {!operation.done && state !== "STATE_CANCELLING" && (
          <button type="button" className="button tight" onClick={() => void act(operation, "cancel")}>
            Cancel
          </button>
        )}
        {state === "STATE_FAILED" && (
          <button type="button" className="button tight" onClick={() => void act(operation, "retry")}>
            Try again
          </button>
        )}
        {operation.done && (
          <button type="button" className="button plain tight" onClick={() => void act(operation, "forget")}>
            Dismiss
          </button>
        )}
      </div>
    </>
  );
}

/** The asset that an operation works on; empty where that is none. */
export function assetOfTarget(target: string | undefined): string {
  return /^projects\/[^/]+\/assets\/[^/]+/.exec(target ?? "")?.[0] ?? "";
}

/** What is worked on, by its name: several operations of one kind are told apart by it, and one that failed leads back to it. */
function Subject({ asset }: { readonly asset: string }) {
  const { value } = useAnswer(`subject ${asset}`, () => call("AssetService_GetAsset", { path: { name: asset } }));
  if (!value?.displayName) return null;
  return (
    <p className="small soft">
      of <Link to={`/${asset}`}>{value.displayName}</Link>
    </p>
  );
}

/** How many of the pictures a world was made from could be placed, and why the others were left out; nothing for work of another kind. */
function Placed({ operation }: { readonly operation: Operation }) {
  const { pictureCount, placedPictureCount, leftOut = [] } = (operation.response ?? {}) as ReconstructWorldResponse;
  if (!pictureCount) return null;
  return (
    <>
      <p className="small soft">
        {placedPictureCount ?? 0} of {count(pictureCount, "picture")} placed.
      </p>
      {leftOut.length > 0 && (
        <details className="small">
          <summary>{count(leftOut.length, "picture")} left out</summary>
          <ul className="soft">
            {leftOut.map(({ name, reason }) => (
              <li key={name}>
                {name}: {reason}
              </li>
            ))}
          </ul>
        </details>
      )}
    </>
  );
}

/** What a world looks like that is being trained; nothing where there is none yet. */
function Preview({ name }: { readonly name: string }) {
  const { value, again } = useAnswer(name, () => call("GenerationService_GetPreview", { path: { operation: name } }));
  useEffect(() => {
    const timer = setInterval(again, PREVIEW_PERIOD_MS);
    return () => clearInterval(timer);
  }, [again]);
  return value?.content ? <img className="preview" src={`data:image/jpeg;base64,${value.content}`} alt="The world so far" /> : null;
}

async function act(operation: Operation, verb: "cancel" | "retry" | "forget"): Promise<void> {
  const name = operation.name ?? "";
  try {
    if (verb === "forget") {
      // Forgetting answers with nothing that is read.
      await call("OperationService_DeleteOperation", { path: { name } });
      operations.drop(name);
    } else {
      const method = verb === "cancel" ? "OperationService_CancelOperation" : "OperationService_RetryOperation";
      operations.put(await call(method, { path: { name }, body: {} }));
    }
  } catch (problem) {
    announce(tell(problem));
  }
  operations.refresh();
}
