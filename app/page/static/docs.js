// Starts Swagger UI at /docs; a file of its own, since the policy allows no inline script.

/** @type {any} */ (window).SwaggerUIBundle({
  url: "openapi.json",
  dom_id: "#swagger-ui",
  deepLinking: true,
  validatorUrl: null, // it would send the document to a foreign site
});
