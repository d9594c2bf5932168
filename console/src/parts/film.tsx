import { useState } from "react";
import { addressOf } from "../client/files";
import type { AssetVersion } from "../contract/generated";
import { Problem } from "./problem";
import { useAnswer } from "./use-answer";

/** The video of a version, played. */
export function Film({ version }: { readonly version: AssetVersion }) {
  const file = version.files?.find((item) => item.contentType?.startsWith("video/"));
  const address = useAnswer(`film ${version.name ?? ""}`, () => addressOf(version.name ?? "", file?.path ?? ""));
  const [isOdd, setOdd] = useState(false);
  if (address.problem !== undefined) return <Problem problem={address.problem} retry={address.again} />;
  return (
    <div className="stack">
      {/* biome-ignore lint/a11y/useMediaCaption: what people upload brings no captions */}
      <video
        className="film"
        src={address.value}
        controls
        playsInline
        preload="metadata"
        onError={() => setOdd(true)}
        onLoadedData={() => setOdd(false)}
      />
      {isOdd && <p className="note">This browser does not play this video; it can be downloaded and measured all the same.</p>}
    </div>
  );
}
