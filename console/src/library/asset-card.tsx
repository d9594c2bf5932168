import { useEffect, useRef, useState } from "react";
import { addressOf } from "../client/files";
import { call } from "../client/http";
import { KIND_WORDS } from "../client/kinds";
import { overlayOf } from "../client/operations";
import type { Asset, Kind } from "../contract/generated";
import { Link } from "../parts/router";
import { ago, bytesInWords } from "../parts/words";

export function AssetCard({ asset }: { readonly asset: Asset }) {
  const kind = asset.kind ?? "KIND_UNSPECIFIED";
  return (
    <article className="card asset">
      <Thumbnail asset={asset} />
      <div className="stack tight">
        <Link to={`/${asset.name ?? ""}`}>{asset.displayName || asset.name?.split("/").at(-1)}</Link>
        <p className="row small soft">
          <span className="tag">{KIND_WORDS[kind]}</span> {bytesInWords(Number(asset.sizeBytes ?? 0))} · {ago(asset.createTime)}
        </p>
      </div>
    </article>
  );
}

interface Picture {
  readonly address: string;
  readonly isVideo: boolean;
}

function Thumbnail({ asset }: { readonly asset: Asset }) {
  const box = useRef<HTMLDivElement>(null);
  const [picture, setPicture] = useState<Picture>();
  useEffect(() => {
    if (!box.current) return;
    let isWanted = true;
    // Only what is seen is fetched.
    const watch = new IntersectionObserver((entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      watch.disconnect();
      pictureOf(asset).then(
        (found) => isWanted && setPicture(found),
        () => undefined,
      );
    });
    watch.observe(box.current);
    return () => {
      isWanted = false;
      watch.disconnect();
    };
  }, [asset]);
  const drop = () => setPicture(undefined);
  return (
    <div className="thumbnail" ref={box}>
      {!picture && <KindMark kind={asset.kind ?? "KIND_UNSPECIFIED"} />}
      {picture && !picture.isVideo && <img src={picture.address} alt="" onError={drop} />}
      {picture?.isVideo && (
        <video src={`${picture.address}#t=0.5`} preload="metadata" muted playsInline tabIndex={-1} aria-hidden="true" onError={drop} />
      )}
    </div>
  );
}

async function pictureOf(asset: Asset): Promise<Picture | undefined> {
  const version = asset.latestVersion ?? "";
  switch (asset.kind) {
    case "KIND_WORLD":
      return { address: await addressOf(version, "thumbnail.png"), isVideo: false };
    case "KIND_IMAGE":
      return { address: await addressOf(version, ""), isVideo: false };
    case "KIND_VIDEO":
    case "KIND_CLIP":
      return { address: await addressOf(version, ""), isVideo: true };
    case "KIND_MOTION": {
      const motion = await call("MotionService_GetMotion", { path: { name: version } });
      const overlay = await overlayOf({ ...motion, assetVersion: version });
      return overlay ? { address: await addressOf(overlay, ""), isVideo: true } : undefined;
    }
    default:
      return undefined;
  }
}

const MARKS: Partial<Record<Kind, string>> = {
  KIND_VIDEO: "M4 7h11v10H4zM15 10.5l5-3v9l-5-3z",
  KIND_MOTION: "M3 15l4-7 4 6 3-4 3 3 4-6",
  KIND_IMAGE_SET: "M4 6h13v11H4zM7 20h13V9M5 15l4-4 3 3 2-2 3 3",
  KIND_WORLD: "M12 3a9 9 0 100 18 9 9 0 000-18zM3 12h18M12 3c3 3 3 15 0 18M12 3c-3 3-3 15 0 18",
};

function KindMark({ kind }: { readonly kind: Kind }) {
  return (
    <svg viewBox="0 0 24 24" fill="none" stroke="currentColor" strokeWidth="1.4" strokeLinecap="round" strokeLinejoin="round" aria-hidden="true">
      <path d={MARKS[kind] ?? "M6 3h8l4 4v14H6zM14 3v4h4"} />
    </svg>
  );
}
