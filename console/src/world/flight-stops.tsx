// The stops of a flight, in order: each can be gone to, moved and taken away, and the focus goes along.
import { useEffect, useRef } from "react";
import { announce } from "../parts/announce";
import type { Stop } from "./flight-plan";

interface Props {
  readonly stops: readonly Stop[];
  readonly onGo: (stop: Stop) => void;
  readonly onMove: (stop: Stop, by: -1 | 1) => void;
  readonly onRemove: (stop: Stop) => void;
}

/** Where the focus shall be once the list is drawn anew: the first of these buttons that can be pressed. */
type Wanted = readonly string[];

export function Stops({ stops, onGo, onMove, onRemove }: Props) {
  const list = useRef<HTMLOListElement>(null);
  const wanted = useRef<Wanted>([]);
  // biome-ignore lint/correctness/useExhaustiveDependencies: the list was drawn anew
  useEffect(() => {
    const names = wanted.current;
    wanted.current = [];
    for (const name of names) {
      const button = list.current?.querySelector<HTMLButtonElement>(`button[name="${name}"]:enabled`);
      button?.focus();
      if (button) break;
    }
  }, [stops]);
  if (stops.length === 0) return null;
  const move = (stop: Stop, number: number, by: -1 | 1) => {
    const [verb, other] = by < 0 ? ["up", "down"] : ["down", "up"];
    wanted.current = [`${verb} ${stop.id}`, `${other} ${stop.id}`];
    onMove(stop, by);
    announce(`Stop ${number} is now stop ${number + by}.`);
  };
  const remove = (stop: Stop, number: number) => {
    const next = stops[number] ?? stops[number - 2];
    wanted.current = next ? [`remove ${next.id}`] : [];
    onRemove(stop);
    announce(`Stop ${number} was taken away.`);
  };
  return (
    <ol className="stops" ref={list} aria-label="Stops of the flight">
      {stops.map((stop, index) => {
        const number = index + 1;
        return (
          <li key={stop.id}>
            <button type="button" className="button plain tight" onClick={() => onGo(stop)}>
              {stop.picture && <img src={stop.picture} alt="" width={48} height={30} />}
              <span className="visually-hidden">Go to stop </span>
              {number}
            </button>
            <span className="row">
              <button
                type="button"
                name={`up ${stop.id}`}
                className="button tight"
                disabled={index === 0}
                aria-label={`Move stop ${number} up`}
                onClick={() => move(stop, number, -1)}
              >
                ↑
              </button>
              <button
                type="button"
                name={`down ${stop.id}`}
                className="button tight"
                disabled={number === stops.length}
                aria-label={`Move stop ${number} down`}
                onClick={() => move(stop, number, 1)}
              >
                ↓
              </button>
              <button
                type="button"
                name={`remove ${stop.id}`}
                className="button tight"
                aria-label={`Take stop ${number} away`}
                onClick={() => remove(stop, number)}
              >
                ×
              </button>
            </span>
          </li>
        );
      })}
    </ol>
  );
}
