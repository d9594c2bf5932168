// The whole: who is signed in, which page is open, and what lies over it.
import { useEffect } from "react";
import { operations } from "./client/operations";
import { session } from "./client/session";
import { useStore } from "./client/store";
import { isUploading } from "./client/uploads";
import { AssetPage } from "./library/asset-page";
import { LibraryPage } from "./library/library-page";
import { Announcements } from "./parts/announce";
import { Guard } from "./parts/guard";
import { Link, usePath } from "./parts/router";
import { SignIn, SignInAgain } from "./parts/sign-in";
import { TopBar } from "./parts/top-bar";

const ASSET = /^\/(projects\/[a-z0-9-]{3,40}\/assets\/[a-z0-9]{26})$/;

export function App() {
  const { kind } = useStore(session);
  useEffect(() => {
    const ask = (event: BeforeUnloadEvent) => {
      if (isUploading()) event.preventDefault();
    };
    window.addEventListener("beforeunload", ask);
    return () => window.removeEventListener("beforeunload", ask);
  }, []);
  useEffect(() => {
    if (kind === "in") operations.start();
  }, [kind]);
  if (kind === "starting")
    return (
      <p className="sign-in soft" role="status">
        Opening Praxiscope…
      </p>
    );
  if (kind === "out") return <SignIn />;
  return (
    <>
      <a className="button main skip" href="#main">
        Go to the content
      </a>
      <TopBar />
      <main id="main" tabIndex={-1}>
        <Guard>
          <Page />
        </Guard>
      </main>
      <Announcements />
      {kind === "expired" && <SignInAgain />}
    </>
  );
}

function Page() {
  const path = usePath();
  if (path === "/") return <LibraryPage />;
  const [, asset] = ASSET.exec(path) ?? [];
  if (asset) return <AssetPage key={asset} name={asset} />;
  return (
    <div className="card stack">
      <h1>There is no page here</h1>
      <p>The address may be mistyped, or from an older version.</p>
      <p>
        <Link className="button main" to="/">
          Open the library
        </Link>
      </p>
    </div>
  );
}
