import { angleInWords, degrees } from "../parts/words";
import { type Person, SURE } from "./motion";

/** Each angle in short, over the frames in which it is sure; those with an estimated depth apart. */
export function RangeTable({ person }: { readonly person: Person }) {
  const names = Object.keys(person.angles);
  const estimated = names.filter((name) => name.endsWith("_3d"));
  const missing = Object.entries(person.not_measured);
  return (
    <>
      <Rows person={person} names={names.filter((name) => !name.endsWith("_3d"))} />
      {estimated.length > 0 && (
        <details>
          <summary>With estimated depth ({estimated.length})</summary>
          <Rows person={person} names={estimated} />
        </details>
      )}
      {missing.length > 0 && (
        <details>
          <summary>Not measured ({missing.length})</summary>
          <ul className="stack tight small">
            {missing.map(([name, reason]) => (
              <li key={name}>
                <b>{angleInWords(name)}:</b> {reason}
              </li>
            ))}
          </ul>
        </details>
      )}
    </>
  );
}

function Rows({ person, names }: { readonly person: Person; readonly names: readonly string[] }) {
  return (
    <div className="scroll">
      <table>
        <thead>
          <tr>
            <th scope="col">Angle</th>
            <th scope="col" className="number">
              Range
            </th>
            <th scope="col" className="number">
              Least
            </th>
            <th scope="col" className="number">
              Largest
            </th>
            <th scope="col" className="number">
              Sure
            </th>
            <th scope="col" className="number">
              Right to left
            </th>
          </tr>
        </thead>
        <tbody>
          {names.map((name) => (
            <Row key={name} person={person} name={name} />
          ))}
        </tbody>
      </table>
    </div>
  );
}

function Row({ person, name }: { readonly person: Person; readonly name: string }) {
  const angle = person.angles[name];
  if (!angle) return null;
  const sure = angle.filtered_deg.filter((value, row): value is number => value !== null && (angle.confidence[row] ?? 0) > SURE);
  const symmetry = person.symmetry_percent[name.replace(/_[rl](?=_3d$|$)/, "")];
  return (
    <tr>
      <th scope="row">{angleInWords(name)}</th>
      <td className="number">{degrees(angle.range_deg)}</td>
      <td className="number">{degrees(sure.length ? least(sure) : null)}</td>
      <td className="number">{degrees(sure.length ? -least(sure.map((value) => -value)) : null)}</td>
      <td className="number">{Math.round((sure.length / Math.max(1, angle.filtered_deg.length)) * 100)} %</td>
      <td className="number">{symmetry === undefined ? "–" : `${symmetry.toFixed(0)} %`}</td>
    </tr>
  );
}

export function GaitTable({ person }: { readonly person: Person }) {
  const { gait } = person;
  if (gait.missing_reason) return <p className="soft">Not measured: {gait.missing_reason}</p>;
  const timesOf = (frames: readonly number[] | undefined) =>
    (frames ?? [])
      .map((frame) => person.time_s[person.frame.indexOf(frame)])
      .flatMap((time) => (time === undefined ? [] : [`${time.toFixed(2)} s`]))
      .join(", ") || "–";
  const sides = [...new Set([...Object.keys(gait.strike_frames), ...Object.keys(gait.off_frames)])];
  return (
    <>
      <p>
        Cadence: <b>{gait.cadence_steps_per_min === null ? "not told" : `${gait.cadence_steps_per_min.toFixed(0)} steps a minute`}</b>
      </p>
      <div className="scroll">
        <table>
          <thead>
            <tr>
              <th scope="col">Foot</th>
              <th scope="col">Touches the ground at</th>
              <th scope="col">Leaves it at</th>
            </tr>
          </thead>
          <tbody>
            {sides.map((side) => (
              <tr key={side}>
                <th scope="row">{side}</th>
                <td>{timesOf(gait.strike_frames[side])}</td>
                <td>{timesOf(gait.off_frames[side])}</td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </>
  );
}

function least(values: readonly number[]): number {
  return values.reduce((low, value) => Math.min(low, value), Number.POSITIVE_INFINITY);
}
