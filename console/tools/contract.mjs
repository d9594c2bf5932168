// Writes src/contract/generated.ts from the OpenAPI document, and from the contracts those messages that only travel inside of operations. Nothing that the
// platform says is typed by hand, so a contract that changes breaks the build here instead of a page somewhere.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const ROOT = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const DOCUMENT = join(ROOT, "services/gateway/internal/docs/praxiscope.swagger.json");
const TARGET = join(ROOT, "console/src/contract/generated.ts");
// Messages that stand in an `Any`, which an OpenAPI document does not look into.
const INSIDE_OPERATIONS = [
  ["type/v1/operation.proto", ["OperationMetadata", "Stage"]],
  ["biomechanics/v1/motion_service.proto", ["AnalyzeMotionResponse"]],
  ["rendering/v1/world_rendering_service.proto", ["RenderTurntableResponse", "RenderFlightResponse", "ExportWorldResponse"]],
  [
    "generation/v1/generation_service.proto",
    ["ReconstructWorldResponse", "WorldQuality", "LeftOutPicture", "GenerateWorldResponse", "ExtractMeshResponse"],
  ],
  ["editing/v1/edit_service.proto", ["SaveWorldResponse"]],
];
const PROTO_TYPES = { double: "number", float: "number", int32: "number", int64: "string", bool: "boolean", string: "string", bytes: "string" };

const document = JSON.parse(readFileSync(DOCUMENT, "utf8"));
const nameOf = (name) => name.replace(/^v1\./, "").replace(/\./g, "");
const keyOf = (name) => (/^\w+$/.test(name) ? name : JSON.stringify(name));
const camel = (name) => name.replace(/_([a-z0-9])/g, (_, letter) => letter.toUpperCase());

function typeOf(schema) {
  if (!schema) return "unknown";
  if (schema.$ref) return nameOf(schema.$ref.replace("#/definitions/", ""));
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" | ");
  switch (schema.type) {
    case "array":
      return `readonly (${typeOf(schema.items)})[]`;
    case "integer":
    case "number":
      return "number";
    case "boolean":
      return "boolean";
    case "string":
      return "string";
    case "object":
      if (schema.additionalProperties && !schema.properties) return `Readonly<Record<string, ${typeOf(schema.additionalProperties)}>>`;
      return fieldsOf(schema);
    default:
      return "unknown";
  }
}

function fieldsOf(schema) {
  const fields = Object.entries(schema.properties ?? {}).map(([name, field]) => `readonly ${keyOf(name)}?: ${typeOf(field)};`);
  if (schema.additionalProperties) fields.push("readonly [key: string]: unknown;");
  return fields.length ? `{ ${fields.join(" ")} }` : "Record<string, never>";
}

// The document numbers names that stand in several paths (`name_1`) and writes where in the request a name stands (`video.assetVersion`); callers give the name.
const plain = (name) => name.replace(/_\d+$/, "").split(".").at(-1);

function operations() {
  const types = [];
  const routes = [];
  for (const [template, methods] of Object.entries(document.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      const parameters = operation.parameters ?? [];
      const of = (place) => parameters.filter((parameter) => parameter.in === place);
      const fields = (place, optional) =>
        of(place).map((item) => `readonly ${keyOf(place === "path" ? plain(item.name) : item.name)}${optional}: ${typeOf(item)};`);
      const body = of("body")[0];
      const answer = operation.responses["200"].schema;
      const streamed = answer?.title?.startsWith("Stream result");
      types.push(
        `  ${operation.operationId}: { path: { ${fields("path", "").join(" ")} }; query: { ${fields("query", "?").join(" ")} }; ` +
          `body: ${body ? typeOf(body.schema) : "undefined"}; answer: ${typeOf(streamed ? answer.properties.result : answer)} };`,
      );
      routes.push(`  ${operation.operationId}: ["${method.toUpperCase()}", "${template.replace(/\{([^}]+)\}/g, (_, name) => `{${plain(name)}}`)}"],`);
    }
  }
  return { types, routes };
}

function messages() {
  const found = [];
  for (const [file, names] of INSIDE_OPERATIONS) {
    const text = readFileSync(join(ROOT, "protos/praxiscope", file), "utf8").replace(/\/\/.*$/gm, "");
    for (const name of names) {
      const start = text.search(new RegExp(`^message ${name} \\{`, "m"));
      if (start < 0) throw new Error(`${file} has no message ${name}`);
      let body = text.slice(start, start + text.slice(start).search(/^\}/m));
      const enums = {};
      body = body.replace(/ {2}enum (\w+) \{([^}]*)\}/g, (_, kind, values) => {
        enums[kind] = [...values.matchAll(/(\w+) = \d+/g)].map((match) => JSON.stringify(match[1])).join(" | ");
        return "";
      });
      const fields = [...body.matchAll(/^ {2}(repeated |optional )?(map<\w+, ?(\w+)>|[\w.]+) (\w+) = \d+/gm)].map(
        ([, repeated, type, mapped, field]) => {
          const single = mapped
            ? `Readonly<Record<string, ${PROTO_TYPES[mapped]}>>`
            : (PROTO_TYPES[type] ?? enums[type] ?? (type.startsWith("google.protobuf") ? "string" : type));
          return `readonly ${camel(field)}?: ${repeated === "repeated " ? `readonly (${single})[]` : single};`;
        },
      );
      found.push(`export type ${name} = { ${fields.join(" ")} };`);
    }
  }
  return found;
}

const { types, routes } = operations();
const definitions = Object.entries(document.definitions).map(([name, schema]) => `export type ${nameOf(name)} = ${typeOf(schema)};`);
mkdirSync(dirname(TARGET), { recursive: true });
writeFileSync(
  TARGET,
  [
    "// Generated by tools/contract.mjs from the contracts; not committed.",
    ...definitions,
    ...messages(),
    `export interface Operations {\n${types.join("\n")}\n}`,
    `export const ROUTES = {\n${routes.join("\n")}\n} as const satisfies Record<keyof Operations, readonly [string, string]>;`,
    "",
  ].join("\n"),
);
