// Short words at the lower edge, also for screen readers: what was done, and how to take it back.
import { Store, useStore } from "../client/store";

interface Announcement {
  readonly id: number;
  readonly text: string;
  readonly verb?: string;
  readonly act?: () => void;
}

const SHOWN_MS = 7_000;
const said = new Store<readonly Announcement[]>([]);
let count = 0;

export function announce(text: string, verb?: string, act?: () => void): void {
  const id = ++count;
  said.set([...said.value.slice(-2), { id, text, ...(verb && act ? { verb, act } : {}) }]);
  setTimeout(() => drop(id), SHOWN_MS);
}

function drop(id: number): void {
  said.set(said.value.filter((item) => item.id !== id));
}

export function Announcements() {
  const items = useStore(said);
  return (
    <div className="said" role="status">
      {items.map(({ id, text, verb, act }) => (
        <div key={id}>
          {text}{" "}
          {verb && act && (
            <button
              type="button"
              onClick={() => {
                drop(id);
                act();
              }}
            >
              {verb}
            </button>
          )}
        </div>
      ))}
    </div>
  );
}
