"use strict";

const SCHEMAS = "#/components/schemas/";

/** The schemas that a part of a document refers to, directly or through others, added to those found. */
function referredTo(part, schemas, found = {}) {
  JSON.stringify(part, (key, value) => {
    const name = key === "$ref" && value.startsWith(SCHEMAS) ? value.slice(SCHEMAS.length) : null;
    if (name !== null && !(name in found)) {
      found[name] = schemas[name];
      referredTo(schemas[name], schemas, found);
    }
    return value;
  });
  return found;
}

/** The document without what the part at a path does not need. */
function reduced(whole, path) {
  const part = path.reduce((parent, name) => parent[name], whole);
  const schemas = referredTo(part, whole.components.schemas);
  const document = { ...whole, paths: {}, components: { schemas } };
  path.slice(0, -1).reduce((parent, name) => (parent[name] ??= {}), document)[path.at(-1)] = part;
  return document;
}

// To resolve the references of one operation, Swagger UI copies and completes the whole document, which takes longer
// than everything else that it does at its start, and again whenever an operation is opened.
const ResolveFromReduced = (system) => {
  const { resolveSubtree } = system.getSystem().fn;
  return { fn: { resolveSubtree: (whole, path, options) => resolveSubtree(reduced(whole, path), path, options) } };
};

window.ui = SwaggerUIBundle({
  url: "/openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  docExpansion: "list",
  defaultModelsExpandDepth: 0,
  displayRequestDuration: true,
  filter: true,
  persistAuthorization: false,
  tryItOutEnabled: false,
  validatorUrl: null,
  plugins: [ResolveFromReduced],
  // Otherwise the browser opens a dialog of its own for a 401, and the call hangs until somebody closes it.
  // Credentials come from Authorize alone.
  requestInterceptor(request) {
    request.credentials = "omit";
    return request;
  },
});

const dark = window.matchMedia("(prefers-color-scheme: dark)");
const useScheme = () => document.documentElement.classList.toggle("dark-mode", dark.matches);
dark.addEventListener("change", useScheme);
useScheme();
