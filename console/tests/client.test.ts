import { describe, expect, it, vi } from "vitest";

vi.stubGlobal("window", { addEventListener: () => undefined, location: { pathname: "/" } });
vi.stubGlobal("document", { hidden: false });

const { errorOfStatus, PlatformError, tell, unreachable } = await import("../src/client/errors");
const { newRequestId, urlOf } = await import("../src/client/http");
const { choiceOf } = await import("../src/client/kinds");
const { filterOf } = await import("../src/library/library-page");
const { afterOf, heightOf } = await import("../src/library/upload-panel");
const { assetOfTarget } = await import("../src/library/work-panel");
const { assetOfVersion, resultOf } = await import("../src/client/operations");

describe("an address", () => {
  it("has its names as parts of the path, and only what is asked", () => {
    expect(urlOf("AssetService_ListAssets", { parent: "projects/a" }, { pageSize: 5, filter: "", pageToken: undefined, showDeleted: false })).toBe(
      "/v1/projects/a/assets?pageSize=5",
    );
    expect(urlOf("MotionService_AnalyzeMotion", { assetVersion: "projects/a/assets/b/versions/1" }, {})).toBe(
      "/v1/projects/a/assets/b/versions/1:analyzeMotion",
    );
    expect(urlOf("AssetService_GetAsset", { name: "projects/a/../x?y" }, {})).toBe("/v1/projects/a/../x%3Fy");
  });
});

describe("an error", () => {
  it("keeps the platform's words, its reason, and when to come back", () => {
    const problem = errorOfStatus(
      {
        message: "Too many.",
        details: [
          { "@type": "type.googleapis.com/google.rpc.ErrorInfo", reason: "RATE_LIMITED" },
          { "@type": "type.googleapis.com/google.rpc.RetryInfo", retryDelay: "1.500s" },
          { "@type": "type.googleapis.com/google.rpc.BadRequest", fieldViolations: [{ field: "edit_stack.display_name", description: "too long" }] },
        ],
      },
      429,
    );
    expect([problem.message, problem.reason, problem.retryAfterS, problem.isTransient]).toEqual([
      "Too many. display name: too long.",
      "RATE_LIMITED",
      1.5,
      true,
    ]);
  });

  it("of an operation is not tried again by itself", () => expect(errorOfStatus({ message: "No." }).isTransient).toBe(false));

  it("without an answer may pass", () => expect(unreachable().isTransient).toBe(true));

  it("that is ours says nothing of our inside", () => {
    expect(tell(new TypeError("undefined is not a function"))).not.toContain("undefined");
    expect(tell(new PlatformError("Known.", "X"))).toBe("Known.");
  });
});

it("request ids are UUIDs, over TLS or not", () => {
  const pattern = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
  expect(newRequestId()).toMatch(pattern);
  const { randomUUID } = crypto;
  Object.defineProperty(crypto, "randomUUID", { value: undefined, configurable: true });
  expect(newRequestId()).toMatch(pattern);
  Object.defineProperty(crypto, "randomUUID", { value: randomUUID, configurable: true });
});

describe("chosen files", () => {
  const file = (name: string, type = "") => new File(["x"], name, { type });
  it.each([
    ["a video", [file("a.MOV")], "KIND_VIDEO"],
    ["a video by its type", [file("a", "video/mp4")], "KIND_VIDEO"],
    ["one photo", [file("a.jpeg")], "KIND_IMAGE_SET"],
    ["photos", [file("a.jpg"), file("b.heic")], "KIND_IMAGE_SET"],
    ["an archive", [file("a.zip")], "KIND_IMAGE_SET"],
    ["a world", [file("a.spz")], "KIND_WORLD"],
  ])("%s", (_, files, kind) => expect(choiceOf(files)).toMatchObject({ kind }));

  it.each([
    ["nothing", [], "Choose"],
    ["a document", [file("notes.pdf")], "notes.pdf"],
    ["a video among photos", [file("a.jpg"), file("b.mp4")], "b.mp4"],
    ["an empty file", [new File([], "a.mp4")], "empty"],
  ])("%s is refused with its name", (_, files, words) => expect(choiceOf(files)).toMatchObject({ refusal: expect.stringContaining(words) }));
});

it("a filter quotes what a person types", () => {
  expect(filterOf("", "")).toBe("");
  expect(filterOf("KIND_WORLD", 'a "b" \\')).toBe('kind = KIND_WORLD AND display_name : "a \\"b\\" \\\\"');
});

it("heights are metres, however they are written", () => {
  expect([heightOf("172"), heightOf("172,5"), heightOf(""), heightOf("tall")]).toEqual([1.72, 1.725, 0, 0]);
  expect(afterOf("world", () => "nonsense")).toEqual({ kind: "world", quality: "QUALITY_STANDARD" });
});

it("finds what an operation made", () => {
  expect(resultOf({ response: { motion: { assetVersion: "projects/a/assets/b/versions/1" } } })).toBe("projects/a/assets/b/versions/1");
  expect(resultOf({})).toBe("");
  expect(assetOfVersion("projects/a/assets/b/versions/1")).toBe("projects/a/assets/b");
});

it.each([
  ["projects/p/assets/a/versions/3", "projects/p/assets/a"],
  ["projects/p/assets/a", "projects/p/assets/a"],
  ["projects/p", ""],
  ["projects/p/editStacks/e/edits/x", ""],
  [undefined, ""],
])("the asset that work on %s is about is found", (target, asset) => expect(assetOfTarget(target)).toBe(asset));
