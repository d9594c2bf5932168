// Bringing files in: chosen or dropped, looked at, named, and what is made of them.
import { type DragEvent, type FormEvent, useEffect, useMemo, useRef, useState } from "react";
import { type Choice, choiceOf, type Material } from "../client/kinds";
import { type After, uploads, type Wish } from "../client/uploads";
import { ChoiceField } from "../parts/choice-field";
import { bytesInWords, count } from "../parts/words";

const PREVIEW_COUNT = 12;
const QUALITIES = [
  ["QUALITY_DRAFT", "Draft, seconds"],
  ["QUALITY_STANDARD", "Standard, a minute or two"],
  ["QUALITY_HIGH", "High, several minutes"],
] as const;

interface Props {
  /** An upload that was refused and shall be changed. */
  readonly wish: Wish | undefined;
  readonly onDone: () => void;
}

export function UploadPanel({ wish, onDone }: Props) {
  const [files, setFiles] = useState<readonly File[]>(wish?.files ?? []);
  const [isOver, setOver] = useState(false);
  const input = useRef<HTMLInputElement>(null);
  const choice = useMemo(() => choiceOf(files), [files]);
  const close = () => {
    setFiles([]);
    onDone();
  };
  const drop = (event: DragEvent) => {
    event.preventDefault();
    setOver(false);
    if (event.dataTransfer.files.length) setFiles([...event.dataTransfer.files]);
  };
  return (
    <section
      className={`card drop ${isOver ? "over" : ""}`}
      aria-labelledby="upload"
      onDragOver={(event) => {
        event.preventDefault();
        setOver(true);
      }}
      onDragLeave={() => setOver(false)}
      onDrop={drop}
    >
      <h2 id="upload">Upload a video or photos</h2>
      <p className="soft small">Drop files here, or choose them. Uploads go on while you look around, and after a broken connection.</p>
      <input
        ref={input}
        className="visually-hidden"
        tabIndex={-1}
        type="file"
        multiple
        aria-label="Files to upload"
        onChange={(event) => {
          if (event.target.files?.length) setFiles([...event.target.files]);
          event.target.value = "";
        }}
      />
      <button type="button" className={`button ${files.length ? "" : "main"}`} onClick={() => input.current?.click()}>
        {files.length ? "Choose other files" : "Choose files"}
      </button>
      {files.length > 0 && <Chosen choice={choice} files={files} wish={wish} onStart={close} onClose={close} />}
    </section>
  );
}

interface ChosenProps {
  readonly choice: Choice;
  readonly files: readonly File[];
  readonly wish: Wish | undefined;
  readonly onStart: () => void;
  readonly onClose: () => void;
}

function Chosen({ choice, files, wish, onStart, onClose }: ChosenProps) {
  if ("refusal" in choice) {
    return (
      <div className="stack" role="alert">
        <p className="note bad">{choice.refusal}</p>
        <p>
          <button type="button" className="button tight" onClick={onClose}>
            Leave it
          </button>
        </p>
      </div>
    );
  }
  return (
    <div className="stack">
      <Previews files={files} material={choice.material} />
      <p className="small soft">
        {files.length > 1 ? count(files.length, "photo") : files[0]?.name} · {bytesInWords(files.reduce((sum, file) => sum + file.size, 0))}
      </p>
      <WishForm choice={choice} wish={wish} onStart={onStart} onClose={onClose} />
    </div>
  );
}

interface WishProps {
  readonly choice: Exclude<Choice, { refusal: string }>;
  readonly wish: Wish | undefined;
  readonly onStart: () => void;
  readonly onClose: () => void;
}

function WishForm({ choice, wish, onStart, onClose }: WishProps) {
  const before = wish?.after;
  const [after, setAfter] = useState<After["kind"]>(before?.kind ?? firstWish(choice.material));
  const canWorld = choice.material !== "world";
  const submit = (event: FormEvent<HTMLFormElement>) => {
    event.preventDefault();
    const given = new FormData(event.currentTarget);
    const text = (name: string) => String(given.get(name) ?? "").trim();
    uploads.start({ files: choice.files, kind: choice.kind, name: text("name"), after: afterOf(after, text) });
    onStart();
  };
  return (
    <form className="stack" onSubmit={submit}>
      <label className="field">
        <span>Name</span>
        <input name="name" maxLength={200} defaultValue={wish?.name ?? nameOf(choice)} required />
      </label>
      {canWorld && (
        <fieldset className="choices">
          <legend>Then</legend>
          {choice.material === "video" && (
            <label>
              <input type="radio" name="after" checked={after === "motion"} onChange={() => setAfter("motion")} /> Measure the motion of the people in
              it
            </label>
          )}
          <label>
            <input type="radio" name="after" checked={after === "world"} onChange={() => setAfter("world")} /> Reconstruct the place as a world
          </label>
          <label>
            <input type="radio" name="after" checked={after === "keep"} onChange={() => setAfter("keep")} /> Only keep it
          </label>
        </fieldset>
      )}
      {after === "motion" && <HeightField value={before?.kind === "motion" ? before.heightM : 0} />}
      {after === "world" && <QualityField value={before?.kind === "world" ? before.quality : "QUALITY_STANDARD"} />}
      <div className="row">
        <button type="submit" className="button main">
          Upload
        </button>
        <button type="button" className="button plain" onClick={onClose}>
          Leave it
        </button>
      </div>
    </form>
  );
}

export function HeightField({ value }: { readonly value: number }) {
  return (
    <label className="field">
      <span>Height of the tallest person, in centimetres</span>
      <input name="height" type="number" min={50} max={260} step={0.5} inputMode="decimal" defaultValue={value ? value * 100 : ""} />
      <span className="hint">For lengths in metres; leave it empty where it is not known.</span>
    </label>
  );
}

export function QualityField({ value }: { readonly value: string }) {
  return <ChoiceField label="Quality" name="quality" choices={QUALITIES} value={value} />;
}

/** What is done then, of a form's fields. */
export function afterOf(kind: After["kind"], text: (name: string) => string): After {
  if (kind === "motion") return { kind, heightM: heightOf(text("height")) };
  if (kind === "world") return { kind, quality: QUALITIES.find(([quality]) => quality === text("quality"))?.[0] ?? "QUALITY_STANDARD" };
  return { kind: "keep" };
}

/** Metres of a height in centimetres; 0 where none is given. */
export function heightOf(centimetres: string): number {
  const value = Number(centimetres.replace(",", "."));
  return Number.isFinite(value) ? value / 100 : 0;
}

function firstWish(material: Material): After["kind"] {
  return material === "video" ? "motion" : material === "world" ? "keep" : "world";
}

function nameOf(choice: Exclude<Choice, { refusal: string }>): string {
  const [first] = choice.files;
  if (choice.files.length > 1) return count(choice.files.length, "photo");
  return (first?.name ?? "").replace(/\.[^.]+$/, "").slice(0, 200);
}

function Previews({ files, material }: { readonly files: readonly File[]; readonly material: Material }) {
  const [addresses, setAddresses] = useState<readonly string[]>([]);
  useEffect(() => {
    const shown = material === "video" || material === "photos" ? files.slice(0, PREVIEW_COUNT) : [];
    const made = shown.map((file) => URL.createObjectURL(file));
    setAddresses(made);
    return () => {
      for (const address of made) URL.revokeObjectURL(address);
    };
  }, [files, material]);
  if (addresses.length === 0) return null;
  return (
    <div className="previews">
      {addresses.map((address, index) =>
        material === "video" ? (
          <video key={address} src={`${address}#t=0.5`} preload="metadata" muted playsInline aria-label="First frames" />
        ) : (
          <img key={address} src={address} alt={`Number ${index + 1}`} />
        ),
      )}
    </div>
  );
}
