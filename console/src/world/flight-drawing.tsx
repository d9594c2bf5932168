// A flight that the platform draws: how far it is, and the video once it is there. It goes on while the page is away.
import { useEffect, useState } from "react";
import { PlatformError, tell } from "../client/errors";
import { readVersion, saveFile } from "../client/files";
import { call } from "../client/http";
import { finish, metadataOf } from "../client/operations";
import type { AssetVersion, Operation, RenderFlightResponse } from "../contract/generated";
import { announce } from "../parts/announce";
import { Film } from "../parts/film";
import { Problem } from "../parts/problem";

const VIDEO = "flight.mp4";

interface Props {
  readonly operation: string;
  /** Told where the operation is known no longer. */
  readonly onGone: () => void;
}

interface Drawn {
  readonly version: AssetVersion;
  readonly response: RenderFlightResponse;
}

export function Drawing({ operation, onGone }: Props) {
  const [current, setCurrent] = useState<Operation>();
  const [problem, setProblem] = useState<unknown>();
  const [drawn, setDrawn] = useState<Drawn>();
  useEffect(() => {
    const ending = new AbortController();
    const follow = async () => {
      const done = await finish(operation, setCurrent, ending.signal);
      const response = (done.response ?? {}) as RenderFlightResponse;
      const version = await readVersion(response.assetVersion ?? "");
      if (!ending.signal.aborted) setDrawn({ version, response });
    };
    follow().catch((error: unknown) => {
      if (ending.signal.aborted) return;
      // Dismissed, or the video was deleted since: there is nothing left to show.
      if (error instanceof PlatformError && error.reason === "RESOURCE_NOT_FOUND") onGone();
      else setProblem(error);
    });
    return () => ending.abort();
  }, [operation, onGone]);
  const cancel = () => {
    call("OperationService_CancelOperation", { path: { name: operation }, body: {} }).catch((error: unknown) => announce(tell(error)));
  };
  if (problem !== undefined) return <Problem problem={problem} />;
  if (!drawn) return <Progress operation={current} onCancel={cancel} />;
  const { version, response } = drawn;
  return (
    <div className="drawn stack tight">
      <Film version={version} />
      <p className="small soft">
        Drawn by {response.engine}. {response.engineReason}
      </p>
      <div>
        <button
          type="button"
          className="button tight"
          onClick={() => saveFile(version.name ?? "", VIDEO).catch((error: unknown) => announce(tell(error)))}
        >
          Save the video
        </button>
      </div>
    </div>
  );
}

function Progress({ operation, onCancel }: { readonly operation: Operation | undefined; readonly onCancel: () => void }) {
  const { progress = 0, message, state } = operation ? metadataOf(operation) : {};
  return (
    <div className="stack tight">
      <p className="small soft" role="status">
        {state === "STATE_QUEUED" ? "Waiting for a worker" : "Drawing the flight"}
        {message && ` · ${message}`}
      </p>
      <progress max={1} value={progress} aria-label="Drawing the flight" />
      <div>
        <button type="button" className="button tight" disabled={state === "STATE_CANCELLING"} onClick={onCancel}>
          Cancel
        </button>
      </div>
    </div>
  );
}
