// Handing a world on: other formats, and a link.
import { type FormEvent, useState } from "react";
import { tell } from "../client/errors";
import { saveFile } from "../client/files";
import { call, newRequestId } from "../client/http";
import { finish, metadataOf } from "../client/operations";
import type { AssetVersion, ExportWorldResponse, Format } from "../contract/generated";
import { announce } from "../parts/announce";
import { Problem } from "../parts/problem";

const FORMATS: readonly (readonly [Format, string])[] = [
  ["FORMAT_SPZ", "SPZ, small"],
  ["FORMAT_PLY", "PLY of 3DGS, everything"],
  ["FORMAT_COMPRESSED_PLY", "PLY, compressed"],
  ["FORMAT_SPLAT", "SPLAT"],
  ["FORMAT_GLB", "GLB"],
  ["FORMAT_USDA", "USDA"],
];

export function HandOn({ version }: { readonly version: AssetVersion }) {
  return (
    <>
      <ExportCard version={version} />
      <ShareCard />
    </>
  );
}

function ExportCard({ version }: { readonly version: AssetVersion }) {
  const [progress, setProgress] = useState<number>();
  const [problem, setProblem] = useState<unknown>();
  const [made, setMade] = useState<{ readonly version: string; readonly paths: readonly string[] }>();
  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const formats = new FormData(event.currentTarget).getAll("format") as Format[];
    setProblem(undefined);
    setMade(undefined);
    setProgress(0);
    try {
      const started = await call("WorldRenderingService_ExportWorld", {
        path: { world: version.name ?? "" },
        body: { formats, requestId: newRequestId() },
      });
      const operation = await finish(started.name ?? "", (current) => setProgress(metadataOf(current).progress ?? 0));
      const response = (operation.response ?? {}) as ExportWorldResponse;
      setMade({ version: response.assetVersion ?? "", paths: response.paths ?? [] });
    } catch (error) {
      setProblem(error);
    }
    setProgress(undefined);
  };
  return (
    <section className="card stack tight" aria-labelledby="export">
      <h2 id="export">Export</h2>
      <form className="stack tight" onSubmit={(event) => void submit(event)}>
        <label className="field">
          <span className="visually-hidden">Format</span>
          <select name="format">
            {FORMATS.map(([format, words]) => (
              <option key={format} value={format}>
                {words}
              </option>
            ))}
          </select>
        </label>
        <div>
          <button type="submit" className="button tight" disabled={progress !== undefined}>
            {progress === undefined ? "Export" : "Exporting…"}
          </button>
        </div>
      </form>
      {progress !== undefined && <progress max={1} value={progress} aria-label="Exporting" />}
      {problem !== undefined && <Problem problem={problem} />}
      {made?.paths.map((path) => (
        <p key={path} className="note good row apart">
          <span>{path} is ready.</span>
          <button
            type="button"
            className="button tight"
            onClick={() => saveFile(made.version, path).catch((error: unknown) => announce(tell(error)))}
          >
            Download
          </button>
        </p>
      ))}
    </section>
  );
}

function ShareCard() {
  const [link, setLink] = useState("");
  const share = async () => {
    const address = window.location.href;
    setLink(address);
    try {
      await navigator.clipboard.writeText(address);
      announce("The link was copied.");
    } catch {
      announce("Copy the link from the field.");
    }
  };
  return (
    <section className="card stack tight" aria-labelledby="share">
      <h2 id="share">Share</h2>
      <p className="small soft">A link to this page and to what you see now. It opens for members of this project, who sign in.</p>
      <div>
        <button type="button" className="button tight" onClick={() => void share()}>
          Copy a link
        </button>
      </div>
      {link && (
        <label className="field">
          <span>Link</span>
          <input readOnly value={link} onFocus={(event) => event.target.select()} />
        </label>
      )}
    </section>
  );
}
