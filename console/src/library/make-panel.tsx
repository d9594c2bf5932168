import { type FormEvent, useState } from "react";
import { call, newRequestId } from "../client/http";
import { operations } from "../client/operations";
import { useStore } from "../client/store";
import type { Asset } from "../contract/generated";
import { Problem } from "../parts/problem";
import { afterOf, HeightField, heightOf, QualityField } from "./upload-panel";
import { OperationItem } from "./work-panel";

/** What can be made of a video or of photos. */
export function MakePanel({ asset, material }: { readonly asset: Asset; readonly material: "video" | "photos" }) {
  const [what, setWhat] = useState<"motion" | "world">(material === "video" ? "motion" : "world");
  const [problem, setProblem] = useState<unknown>();
  const [started, setStarted] = useState<readonly string[]>([]);
  const listed = useStore(operations).filter((operation) => started.includes(operation.name ?? ""));
  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const given = new FormData(event.currentTarget);
    const text = (name: string) => String(given.get(name) ?? "").trim();
    const assetVersion = asset.latestVersion ?? "";
    setProblem(undefined);
    try {
      const wish = afterOf(what, text);
      const operation =
        wish.kind === "world"
          ? await call("GenerationService_ReconstructWorld", {
              path: { assetVersion },
              body: { photos: {}, quality: wish.quality, displayName: asset.displayName ?? "", requestId: newRequestId() },
            })
          : await call("MotionService_AnalyzeMotion", {
              path: { assetVersion },
              body: { video: {}, heightM: heightOf(text("height")), requestId: newRequestId() },
            });
      operations.put(operation);
      setStarted([operation.name ?? "", ...started]);
    } catch (error) {
      setProblem(error);
    }
  };
  return (
    <section className="card stack" aria-labelledby="make">
      <h2 id="make">Make something of it</h2>
      <form className="stack" onSubmit={(event) => void submit(event)}>
        {material === "video" && (
          <fieldset className="choices">
            <legend className="visually-hidden">What</legend>
            <label>
              <input type="radio" name="what" checked={what === "motion"} onChange={() => setWhat("motion")} /> Measure the motion of the people in it
            </label>
            <label>
              <input type="radio" name="what" checked={what === "world"} onChange={() => setWhat("world")} /> Reconstruct the place as a world
            </label>
          </fieldset>
        )}
        {what === "motion" ? <HeightField value={0} /> : <QualityField value="QUALITY_STANDARD" />}
        {problem !== undefined && <Problem problem={problem} />}
        <div>
          <button type="submit" className="button main">
            Start
          </button>
        </div>
      </form>
      <ul>
        {listed.map((operation) => (
          <li className="work" key={operation.name}>
            <OperationItem operation={operation} />
          </li>
        ))}
      </ul>
    </section>
  );
}
