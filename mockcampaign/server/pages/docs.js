"use strict";

// Nothing outside the server is called: the document is its own, and the online validator is off.
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
