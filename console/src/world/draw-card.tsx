// A picture of what is seen, drawn by the platform: which engine, how well, and why that one.
import { type FormEvent, useEffect, useState } from "react";
import { call } from "../client/http";
import type { RenderViewResponse } from "../contract/generated";
import { Problem } from "../parts/problem";
import { pinholeOf, type View } from "./cameras";
import { EngineFields, settingsOf } from "./engines";
import { bytesOf } from "./mask";

const SIZE_PX = [960, 600] as const;
interface Props {
  /** The version. */
  readonly world: string;
  /** The file in it; empty where the platform finds it. */
  readonly path: string;
  /** Whether it is a mesh, and no Gaussians. */
  readonly hasSurfaces: boolean;
  /** From where one looks now; nothing while there is nothing to see. */
  readonly see: (() => View) | undefined;
}

interface Drawn {
  readonly address: string;
  readonly answer: RenderViewResponse;
}

export function DrawCard({ world, path, hasSurfaces, see }: Props) {
  const [isBusy, setBusy] = useState(false);
  const [problem, setProblem] = useState<unknown>();
  const [drawn, setDrawn] = useState<Drawn>();
  useEffect(() => () => URL.revokeObjectURL(drawn?.address ?? ""), [drawn]);
  const draw = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    if (!see) return;
    const settings = settingsOf(new FormData(event.currentTarget), path);
    setBusy(true);
    setProblem(undefined);
    try {
      const answer = await call("WorldRenderingService_RenderView", {
        path: { world },
        body: { camera: pinholeOf(see(), ...SIZE_PX), settings },
      });
      const bytes = bytesOf(answer.content ?? "");
      setDrawn({ answer, address: URL.createObjectURL(new Blob([bytes.slice().buffer], { type: "image/png" })) });
    } catch (error) {
      setProblem(error);
    }
    setBusy(false);
  };
  return (
    <section className="card stack tight" aria-labelledby="draw">
      <h2 id="draw">Draw</h2>
      <form className="stack tight" onSubmit={(event) => void draw(event)}>
        <EngineFields hasSurfaces={hasSurfaces} />
        <div>
          <button type="submit" className="button tight" disabled={isBusy || !see}>
            {isBusy ? "Drawing…" : "Draw what is seen"}
          </button>
        </div>
      </form>
      {problem !== undefined && <Problem problem={problem} />}
      {drawn && (
        <figure className="drawn stack tight">
          <img src={drawn.address} alt="What was seen, drawn by the platform" width={drawn.answer.widthPx} height={drawn.answer.heightPx} />
          <figcaption className="small soft">
            Drawn by {drawn.answer.engine}. {drawn.answer.engineReason}
          </figcaption>
          <a className="button tight" href={drawn.address} download="view.png">
            Save it
          </a>
        </figure>
      )}
    </section>
  );
}
