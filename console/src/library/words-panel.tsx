import { type FormEvent, useState } from "react";
import { call, newRequestId } from "../client/http";
import { operations } from "../client/operations";
import { session } from "../client/session";
import { announce } from "../parts/announce";
import { Problem } from "../parts/problem";

const MAX_SEED = 2 ** 31;

/** A world from words. */
export function WordsPanel() {
  const [prompt, setPrompt] = useState("");
  const [isBusy, setBusy] = useState(false);
  const [problem, setProblem] = useState<unknown>();
  const submit = async (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const given = new FormData(event.currentTarget);
    const seed = Number(given.get("seed")) || Math.floor(Math.random() * MAX_SEED);
    setBusy(true);
    setProblem(undefined);
    try {
      const body = { prompt: prompt.trim(), seed, gaussianCount: Number(given.get("size")), requestId: newRequestId() };
      operations.put(await call("GenerationService_GenerateWorld", { path: { parent: session.project }, body }));
      announce("The world is being made.");
      setPrompt("");
    } catch (error) {
      setProblem(error); // and the words stay
    }
    setBusy(false);
  };
  return (
    <section className="card" aria-labelledby="words">
      <form className="stack" onSubmit={(event) => void submit(event)}>
        <h2 id="words">Describe a world</h2>
        <label className="field">
          <span className="visually-hidden">What it should be</span>
          <textarea
            rows={3}
            maxLength={2000}
            required
            placeholder="a village by a lake on a foggy morning"
            value={prompt}
            onChange={(event) => setPrompt(event.target.value)}
          />
        </label>
        <details>
          <summary>More</summary>
          <div className="stack">
            <label className="field">
              <span>Size</span>
              <select name="size" defaultValue="100000">
                <option value="50000">Small, 50,000 Gaussians</option>
                <option value="100000">Middle, 100,000</option>
                <option value="400000">Large, 400,000</option>
              </select>
            </label>
            <label className="field">
              <span>Seed</span>
              <input name="seed" type="number" min={0} max={MAX_SEED - 1} step={1} />
              <span className="hint">The same words and seed give the same world.</span>
            </label>
          </div>
        </details>
        {problem !== undefined && <Problem problem={problem} />}
        <div>
          <button type="submit" className="button main" disabled={isBusy || !prompt.trim()}>
            {isBusy ? "Starting…" : "Make it"}
          </button>
        </div>
      </form>
    </section>
  );
}
