import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { crc32, zipOf } from "../src/client/archive";

const READ =
  "import json,sys,zipfile;a=zipfile.ZipFile(sys.argv[1]);assert a.testzip() is None;print(json.dumps([[i.filename,a.read(i).decode()] for i in a.infolist()]))";

describe("an archive of photos", () => {
  it("has the checksum that everybody has", () => {
    expect(crc32(new TextEncoder().encode("123456789"))).toBe(0xcbf43926);
    expect(crc32(new TextEncoder().encode("6789"), crc32(new TextEncoder().encode("12345")))).toBe(0xcbf43926);
    expect(crc32(new Uint8Array(0))).toBe(0);
  });

  it("is read by another program, names of any script and twins included", async () => {
    const files = [new File(["one"], "zoë 写真.jpg"), new File(["two"], "a.jpg"), new File(["three"], "a.jpg"), new File([""], "empty.png")];
    const shares: number[] = [];
    const archive = await zipOf(files, (share) => shares.push(share));
    const folder = mkdtempSync(join(tmpdir(), "praxiscope-zip-"));
    try {
      writeFileSync(join(folder, "x.zip"), new Uint8Array(await archive.arrayBuffer()));
      const read = JSON.parse(execFileSync("python3", ["-c", READ, join(folder, "x.zip")]).toString());
      expect(read).toEqual([
        ["zoë 写真.jpg", "one"],
        ["a.jpg", "two"],
        ["a-2.jpg", "three"],
        ["empty.png", ""],
      ]);
      expect(readFileSync(join(folder, "x.zip")).length).toBe(archive.size);
    } finally {
      rmSync(folder, { recursive: true });
    }
    expect(shares.at(-1)).toBe(1);
  });
});
