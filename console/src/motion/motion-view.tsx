// A measured motion: the drawn video, curves that follow it, the skeleton in space, tables.
import { lazy, Suspense, useCallback, useEffect, useMemo, useRef, useState } from "react";
import { PlatformError } from "../client/errors";
import { addressOf, fetchJson, fetchText } from "../client/files";
import { call } from "../client/http";
import { overlayOf } from "../client/operations";
import type { AssetVersion, Motion } from "../contract/generated";
import { Problem } from "../parts/problem";
import { useAnswer } from "../parts/use-answer";
import { angleInWords, count, degrees } from "../parts/words";
import { COLOUR_COUNT, Curves } from "./curves";
import { checked, firstAngles, type MotionFile, type Person, rowAt } from "./motion";
import { GaitTable, RangeTable } from "./tables";
import { readTrc } from "./trc";

const Skeleton = lazy(() => import("./skeleton"));

interface Loaded {
  readonly motion: Motion;
  readonly file: MotionFile;
  /** Where the video is; empty where none was drawn or it is gone. */
  readonly film: string;
  readonly isDrawn: boolean;
}

async function load(version: string): Promise<Loaded> {
  const [motion, file] = await Promise.all([
    call("MotionService_GetMotion", { path: { name: version } }),
    fetchJson<MotionFile>(version, "motion.json").then((found) => {
      try {
        return checked(found);
      } catch {
        throw new PlatformError("This motion was measured by a newer version than this page knows; reload the page.", "MOTION_VERSION");
      }
    }),
  ]);
  const overlay = await overlayOf({ ...motion, assetVersion: version }).catch(() => undefined);
  const drawn = overlay ? await addressOf(overlay, "").catch(() => "") : "";
  const film = drawn || (motion.video ? await addressOf(motion.video, "").catch(() => "") : "");
  return { motion, file, film, isDrawn: drawn !== "" };
}

export default function MotionView({ version }: { readonly version: AssetVersion }) {
  const name = version.name ?? "";
  const answer = useAnswer(`motion ${name}`, () => load(name));
  const [chosen, setChosen] = useState(0);
  if (!answer.value)
    return answer.problem === undefined ? (
      <p className="soft" role="status">
        Loading the motion…
      </p>
    ) : (
      <Problem problem={answer.problem} retry={answer.again} />
    );
  const { file, motion } = answer.value;
  const person = file.persons[chosen];
  if (!person) {
    const reasons = Object.values(file.skipped);
    return <p className="note">Nobody could be measured in this video.{reasons.length > 0 && ` ${reasons.join(" ")}`}</p>;
  }
  return (
    <div className="stack">
      {file.persons.length > 1 && (
        <fieldset className="row">
          <legend className="visually-hidden">Whose motion</legend>
          {file.persons.map((item, index) => (
            <button key={item.person} type="button" className="button tight" aria-pressed={index === chosen} onClick={() => setChosen(index)}>
              Person {item.person}
            </button>
          ))}
        </fieldset>
      )}
      <PersonView key={person.person} version={name} person={person} loaded={answer.value} />
      {[...(motion.notes ?? []), ...person.notes].map((note) => (
        <p className="note" key={note}>
          {note}
        </p>
      ))}
      <p className="small soft">{file.note}</p>
    </div>
  );
}

interface PersonProps {
  readonly version: string;
  readonly person: Person;
  readonly loaded: Loaded;
}

function PersonView({ version, person, loaded }: PersonProps) {
  const film = useRef<HTMLVideoElement>(null);
  const [nowS, setNowS] = useState(0);
  const [names, setNames] = useState<readonly string[]>(() => firstAngles(person, 4));
  const durationS = Math.max(Number.parseFloat(loaded.motion.duration ?? "0") || 0, person.time_s.at(-1) ?? 0, 0.001);
  useFilmTime(film, setNowS);
  const seek = useCallback((timeS: number) => {
    setNowS(timeS);
    if (film.current) film.current.currentTime = timeS;
  }, []);
  return (
    <>
      <div className="beside">
        <div className="stack">
          <Film film={film} loaded={loaded} />
          <div className="card stack tight">
            <Curves person={person} names={names} durationS={durationS} nowS={nowS} onSeek={seek} />
            <p className="small soft">
              Click into the curves, or use the arrow keys, to go to a time. Dashed and faint: doubtful (confidence up to 0.5). A gap: not seen.
            </p>
          </div>
        </div>
        <div className="stack">
          <AngleChoice person={person} names={names} nowS={nowS} onChange={setNames} />
          <SkeletonCard version={version} person={person} nowS={nowS} />
        </div>
      </div>
      <section className="card stack" aria-labelledby="range">
        <h2 id="range">Range of motion</h2>
        <RangeTable person={person} />
      </section>
      <section className="card stack" aria-labelledby="gait">
        <h2 id="gait">Gait</h2>
        <GaitTable person={person} />
      </section>
    </>
  );
}

/** Tells the time of a video that plays, at each frame that is drawn. */
function useFilmTime(film: React.RefObject<HTMLVideoElement | null>, onTime: (timeS: number) => void): void {
  useEffect(() => {
    let frame = 0;
    let before = -1;
    const look = () => {
      const timeS = film.current?.currentTime ?? 0;
      if (film.current && timeS !== before) {
        if (before >= 0) onTime(timeS);
        before = timeS;
      }
      frame = requestAnimationFrame(look);
    };
    frame = requestAnimationFrame(look);
    return () => cancelAnimationFrame(frame);
  }, [film, onTime]);
}

function Film({ film, loaded }: { readonly film: React.RefObject<HTMLVideoElement | null>; readonly loaded: Loaded }) {
  const [isOdd, setOdd] = useState(false);
  if (!loaded.film) return <p className="note">There is no video of this motion any more.</p>;
  return (
    <>
      <video ref={film} className="film" src={loaded.film} controls playsInline preload="auto" muted onError={() => setOdd(true)} />
      {isOdd && <p className="note">This browser does not play this video; the curves are all the same.</p>}
      {!loaded.isDrawn && <p className="small soft">This is the video itself; nothing was drawn over it.</p>}
    </>
  );
}

interface ChoiceProps {
  readonly person: Person;
  readonly names: readonly string[];
  readonly nowS: number;
  readonly onChange: (names: readonly string[]) => void;
}

function AngleChoice({ person, names, nowS, onChange }: ChoiceProps) {
  const row = rowAt(person.time_s, nowS);
  const all = useMemo(
    () => Object.keys(person.angles).sort((one, other) => Number(one.endsWith("_3d")) - Number(other.endsWith("_3d")) || one.localeCompare(other)),
    [person],
  );
  const isFull = names.length >= COLOUR_COUNT;
  return (
    <section className="card stack tight" aria-labelledby="angles">
      <h2 id="angles">Angles</h2>
      <p className="small soft">{count(all.length, "angle")} measured; up to six are drawn.</p>
      <fieldset className="angles" aria-label="Angles that are drawn">
        {all.map((name) => {
          const place = names.indexOf(name);
          const angle = person.angles[name];
          const isSure = (angle?.confidence[row] ?? 0) > 0.5;
          return (
            <label key={name}>
              <input
                type="checkbox"
                checked={place >= 0}
                disabled={place < 0 && isFull}
                onChange={() => onChange(place >= 0 ? names.filter((item) => item !== name) : [...names, name])}
              />
              {place >= 0 && <span className={`swatch c${(place % COLOUR_COUNT) + 1}`} />}
              {angleInWords(name)}
              <output title={isSure ? "" : "doubtful"}>
                {degrees(angle?.filtered_deg[row])}
                {isSure || angle?.filtered_deg[row] == null ? "" : " ?"}
              </output>
            </label>
          );
        })}
      </fieldset>
    </section>
  );
}

function SkeletonCard({ version, person, nowS }: { readonly version: string; readonly person: Person; readonly nowS: number }) {
  const [isOpen, setOpen] = useState(false);
  const markers = useAnswer(`markers ${isOpen} ${version} ${person.person}`, async () =>
    isOpen ? readTrc(await fetchText(version, `person-${person.person}.trc`)) : undefined,
  );
  return (
    <section className="card stack tight" aria-labelledby="space">
      <div className="row apart">
        <h2 id="space">In space</h2>
        {!isOpen && (
          <button type="button" className="button tight" onClick={() => setOpen(true)}>
            Show the skeleton
          </button>
        )}
      </div>
      {!isOpen && <p className="small soft">Depth is estimated, not measured.</p>}
      {isOpen && markers.problem !== undefined && <Problem problem={markers.problem} retry={markers.again} />}
      {isOpen && (
        <Suspense
          fallback={
            <p className="small soft" role="status">
              Loading…
            </p>
          }
        >
          {markers.value && <Skeleton markers={markers.value} nowS={nowS} />}
        </Suspense>
      )}
    </section>
  );
}
