import { call } from "../client/http";
import { session } from "../client/session";
import { useStore } from "../client/store";
import { Link } from "./router";
import { chooseTheme, type Theme, theme } from "./theme";
import { useAnswer } from "./use-answer";

const THEMES: readonly (readonly [Theme, string])[] = [
  ["auto", "Theme: as the system"],
  ["light", "Theme: light"],
  ["dark", "Theme: dark"],
];

export function TopBar() {
  const state = useStore(session);
  const chosen = useStore(theme);
  const project = "project" in state ? state.project : "";
  const projects = useAnswer(`projects of ${"subject" in state ? state.subject : ""}`, () =>
    call("ProjectService_ListProjects", { path: {}, query: { pageSize: 200 } }),
  );
  const listed = projects.value?.projects ?? [];
  return (
    <header className="top">
      <Link className="brand" to="/">
        <img src="/icon.svg" alt="" /> Praxiscope
      </Link>
      {listed.length > 1 ? (
        <label>
          <span className="visually-hidden">Project</span>
          <select value={project} onChange={(event) => void session.switchProject(event.target.value)}>
            {listed.map((item) => (
              <option key={item.name} value={item.name}>
                {item.displayName || item.name}
              </option>
            ))}
          </select>
        </label>
      ) : (
        <span className="soft small">{listed[0]?.displayName || project.replace("projects/", "")}</span>
      )}
      <label>
        <span className="visually-hidden">Theme</span>
        <select value={chosen} onChange={(event) => chooseTheme(event.target.value as Theme)}>
          {THEMES.map(([value, words]) => (
            <option key={value} value={value}>
              {words}
            </option>
          ))}
        </select>
      </label>
      <span className="soft small name">{"name" in state ? state.name : ""}</span>
      <button type="button" className="button tight" onClick={() => void session.signOut()}>
        Sign out
      </button>
    </header>
  );
}
