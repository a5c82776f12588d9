// Shows the description of the API. Requests go to where the page came from, by whatever name that was reached.
"use strict";

fetch("/api/openapi.json", { credentials: "same-origin" })
  .then((answer) => {
    if (!answer.ok) throw new Error(`The description cannot be read: ${answer.status}.`);
    return answer.json();
  })
  .then((spec) => {
    spec.servers = [{ url: window.location.origin }];
    window.SwaggerUIBundle({
      spec,
      dom_id: "#docs",
      deepLinking: true,
      docExpansion: "none",
      filter: true,
      displayRequestDuration: true,
      persistAuthorization: false,
      validatorUrl: null,
    });
  })
  .catch((error) => {
    document.getElementById("docs").textContent = error.message;
  });
