// Shows openapi.json, for people. Everything is put in as text, never as markup.

function element(name, ...children) {
  const made = document.createElement(name);
  made.append(...children);
  return made;
}

function resolve(document, schema) {
  if (!schema?.$ref) return schema ?? {};
  return schema.$ref.slice(2).split("/").reduce((part, key) => part[key], document);
}

function kindOf(document, schema) {
  if (!schema) return "";
  if (schema.anyOf) return schema.anyOf.map((some) => kindOf(document, some)).join(" or ");
  if (schema.$ref) return schema.$ref.split("/").pop();
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(" or ");
  if (schema.type === "array") return `list of ${kindOf(document, schema.items)}`;
  return schema.format ? `${schema.type} (${schema.format})` : schema.type ?? "any";
}

function table(heading, rows) {
  if (!rows.length) return [];
  const head = element("tr", ...["name", "type", "meaning"].map((text) => {
    const cell = element("th", text);
    cell.scope = "col";
    return cell;
  }));
  const lines = rows.map(([name, kind, meaning]) =>
    element("tr", element("td", element("code", name)), element("td", kind), element("td", meaning ?? "")));
  return [element("h3", heading), element("table", element("thead", head), element("tbody", ...lines))];
}

function fields(document, schema, sent = false) {
  const whole = resolve(document, schema);
  const required = new Set(whole.required ?? []);
  return Object.entries(whole.properties ?? {}).map(([name, field]) => {
    const given = field.default ? `${JSON.stringify(field.default)} unless given` : "";
    const need = sent ? (required.has(name) ? "required" : given) : "";
    return [name, kindOf(document, field), [field.description, need].filter(Boolean).join("; ")];
  });
}

function route(document, path, method, operation) {
  const [roles] = Object.values(operation.security?.[0] ?? {});
  const badge = element("span", roles?.[0] ?? "open");
  badge.className = "role";
  const parts = [
    element("h2", element("code", `${method.toUpperCase()} ${path}`), " ", badge),
    element("p", operation.description ?? operation.summary ?? ""),
  ];
  const parameters = (operation.parameters ?? []).map((one) =>
    [one.name, kindOf(document, one.schema), one.description ?? `in the ${one.in}`]);
  parts.push(...table("Parameters", parameters));
  for (const [kind, body] of Object.entries(operation.requestBody?.content ?? {})) {
    parts.push(...table(`Sent as ${kind}`, fields(document, body.schema, true)));
  }
  for (const [status, answer] of Object.entries(operation.responses).filter(([code]) => code < "300")) {
    for (const [kind, body] of Object.entries(answer.content ?? {})) {
      parts.push(...table(`Answer ${status}, ${kind}`, fields(document, body.schema)));
    }
  }
  return element("section", ...parts);
}

const main = document.getElementById("routes");
try {
  const api = await (await fetch("/openapi.json")).json();
  main.replaceChildren(...Object.entries(api.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => route(api, path, method, operation))));
} catch (error) {
  main.textContent = `The description of the API cannot be read: ${error.message}`;
}
