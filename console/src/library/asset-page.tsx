// One asset: what it is decides what is shown.
import { lazy, Suspense, useEffect, useState } from "react";
import { tell } from "../client/errors";
import { addressOf, readVersion, saveFile } from "../client/files";
import { call } from "../client/http";
import { KIND_WORDS, MESH_FILE, SPLAT_FILE } from "../client/kinds";
import { assetOfVersion } from "../client/operations";
import type { Asset, AssetVersion } from "../contract/generated";
import { announce } from "../parts/announce";
import { Film } from "../parts/film";
import { Problem } from "../parts/problem";
import { Link, open } from "../parts/router";
import { useAnswer } from "../parts/use-answer";
import { ago, bytesInWords } from "../parts/words";
import { MakePanel } from "./make-panel";

const MeshView = lazy(() => import("../mesh/mesh-view"));
const MotionView = lazy(() => import("../motion/motion-view"));
const WorldView = lazy(() => import("../world/world-view"));

export function AssetPage({ name }: { readonly name: string }) {
  const answer = useAnswer(name, async () => {
    const asset = await call("AssetService_GetAsset", { path: { name } });
    const version = asset.latestVersion ? await readVersion(asset.latestVersion) : {};
    return { asset, version };
  });
  const title = answer.value?.asset.displayName;
  useEffect(() => {
    document.title = `${title || "Asset"} · Praxiscope`;
  }, [title]);
  return (
    <>
      <nav className="crumbs" aria-label="Where you are">
        <Link to="/">Library</Link>
      </nav>
      {answer.value ? (
        <AssetView asset={answer.value.asset} version={answer.value.version} onChange={answer.again} />
      ) : (
        <Pending problem={answer.problem} retry={answer.again} />
      )}
    </>
  );
}

function Pending({ problem, retry }: { readonly problem: unknown; readonly retry: () => void }) {
  if (problem === undefined)
    return (
      <p className="soft" role="status">
        Loading…
      </p>
    );
  return (
    <div className="stack">
      <h1>This cannot be shown</h1>
      <Problem problem={problem} retry={retry} />
      <p>
        <Link className="button" to="/">
          Open the library
        </Link>
      </p>
    </div>
  );
}

interface ViewProps {
  readonly asset: Asset;
  readonly version: AssetVersion;
  readonly onChange: () => void;
}

function AssetView({ asset, version, onChange }: ViewProps) {
  return (
    <>
      <Head asset={asset} onChange={onChange} />
      <Suspense
        fallback={
          <p className="soft" role="status">
            Loading the viewer…
          </p>
        }
      >
        <Content asset={asset} version={version} />
      </Suspense>
      <Files version={version} />
      <Lineage version={version} />
    </>
  );
}

function Content({ asset, version }: Omit<ViewProps, "onChange">) {
  switch (asset.kind) {
    case "KIND_MOTION":
      return <MotionView version={version} />;
    case "KIND_WORLD":
      return isMesh(version) ? <MeshView asset={asset} version={version} /> : <WorldView asset={asset} version={version} />;
    case "KIND_VIDEO":
      return (
        <div className="beside">
          <Film version={version} />
          <MakePanel asset={asset} material="video" />
        </div>
      );
    case "KIND_CLIP":
      return <Film version={version} />;
    case "KIND_IMAGE_SET":
      return <MakePanel asset={asset} material="photos" />;
    default:
      return isMesh(version) ? <MeshView asset={asset} version={version} /> : null;
  }
}

function isMesh(version: AssetVersion): boolean {
  const has = (pattern: RegExp) => version.files?.some((file) => pattern.test(file.path ?? "")) ?? false;
  return has(MESH_FILE) && !has(SPLAT_FILE);
}

function Head({ asset, onChange }: Omit<ViewProps, "version">) {
  const [isNaming, setNaming] = useState(false);
  const rename = async (displayName: string) => {
    try {
      const kept = displayName.trim();
      await call("AssetService_UpdateAsset", { path: { name: asset.name ?? "" }, query: {}, body: { displayName: kept } });
      setNaming(false);
      onChange();
    } catch (problem) {
      announce(tell(problem));
    }
  };
  const remove = async () => {
    const name = asset.name ?? "";
    try {
      await call("AssetService_DeleteAsset", { path: { name }, query: {} });
      open("/");
      announce(`“${asset.displayName ?? "It"}” was deleted.`, "Undo", () => {
        call("AssetService_UndeleteAsset", { path: { name }, body: {} }).then(
          () => open(`/${name}`),
          (problem: unknown) => announce(tell(problem)),
        );
      });
    } catch (problem) {
      announce(tell(problem));
    }
  };
  return (
    <header className="head">
      {isNaming ? (
        <form
          className="row"
          onSubmit={(event) => {
            event.preventDefault();
            void rename(String(new FormData(event.currentTarget).get("name") ?? ""));
          }}
        >
          <label>
            <span className="visually-hidden">Name</span>
            <input name="name" ref={(field) => field?.focus()} required maxLength={200} defaultValue={asset.displayName} />
          </label>
          <button type="submit" className="button main tight">
            Save the name
          </button>
          <button type="button" className="button plain tight" onClick={() => setNaming(false)}>
            Leave it
          </button>
        </form>
      ) : (
        <h1>{asset.displayName || "Unnamed"}</h1>
      )}
      <p className="row small soft">
        <span className="tag">{KIND_WORDS[asset.kind ?? "KIND_UNSPECIFIED"]}</span> {ago(asset.createTime)}
      </p>
      <div className="row">
        {!isNaming && (
          <button type="button" className="button tight" onClick={() => setNaming(true)}>
            Rename
          </button>
        )}
        <button type="button" className="button tight bad" onClick={() => void remove()}>
          Delete
        </button>
      </div>
    </header>
  );
}

function Files({ version }: { readonly version: AssetVersion }) {
  const files = version.files ?? [];
  const show = async (path: string) => {
    // The window is opened by the click itself, or browsers take it for an advertisement.
    const shown = window.open("", "_blank");
    try {
      const address = await addressOf(version.name ?? "", path);
      if (shown) {
        shown.opener = null;
        shown.location.replace(address);
      }
    } catch (problem) {
      shown?.close();
      announce(tell(problem));
    }
  };
  if (files.length === 0) return null;
  return (
    <section className="card stack" aria-labelledby="files" style={{ marginTop: "1.4rem" }}>
      <h2 id="files">Files</h2>
      <div className="scroll">
        <table>
          <thead>
            <tr>
              <th scope="col">File</th>
              <th scope="col">Kind</th>
              <th scope="col" className="number">
                Size
              </th>
              <th scope="col">
                <span className="visually-hidden">Get it</span>
              </th>
            </tr>
          </thead>
          <tbody>
            {files.map((file) => (
              <tr key={file.path}>
                <td>{file.path}</td>
                <td className="soft">{file.contentType}</td>
                <td className="number">{bytesInWords(Number(file.sizeBytes ?? 0))}</td>
                <td>
                  <div className="row">
                    <button
                      type="button"
                      className="button tight"
                      onClick={() => saveFile(version.name ?? "", file.path ?? "").catch((problem: unknown) => announce(tell(problem)))}
                    >
                      Download<span className="visually-hidden"> {file.path}</span>
                    </button>
                    {file.contentType?.startsWith("text/html") && (
                      <button type="button" className="button tight" onClick={() => void show(file.path ?? "")}>
                        Open<span className="visually-hidden"> {file.path}</span>
                      </button>
                    )}
                  </div>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </section>
  );
}

/** What it was made from, and what was made from it. */
function Lineage({ version }: { readonly version: AssetVersion }) {
  const name = version.name ?? "";
  const answer = useAnswer(`lineage ${name}`, async () => {
    const { edges } = await call("AssetService_GetLineage", { path: { name }, query: { depth: 1 } });
    const names = [...new Set((edges ?? []).flatMap((edge) => [edge.source ?? "", edge.target ?? ""]).filter((item) => item && item !== name))];
    const assets = await Promise.all(
      names.map((item) => call("AssetService_GetAsset", { path: { name: assetOfVersion(item) } }).catch(() => undefined)),
    );
    const found = names.map((item, index) => ({ name: item, asset: assets[index], isSource: edges?.some((edge) => edge.source === item) ?? false }));
    return found.filter((item) => item.asset);
  });
  const related = answer.value ?? [];
  if (related.length === 0) return null;
  const list = (isSource: boolean) => related.filter((item) => item.isSource === isSource);
  return (
    <section className="card stack" aria-labelledby="lineage" style={{ marginTop: "1.4rem" }}>
      <h2 id="lineage">Where it comes from, and what came of it</h2>
      {(
        [
          [true, "Made from"],
          [false, "Made of it"],
        ] as const
      ).map(([isSource, words]) =>
        list(isSource).length === 0 ? null : (
          <div key={words} className="row">
            <span className="soft">{words}</span>
            {list(isSource).map((item) => (
              <Link key={item.name} className="button tight" to={`/${assetOfVersion(item.name)}`}>
                {item.asset?.displayName || "Unnamed"} <span className="soft">{KIND_WORDS[item.asset?.kind ?? "KIND_UNSPECIFIED"]}</span>
              </Link>
            ))}
          </div>
        ),
      )}
    </section>
  );
}
