"use strict";
// Everything shown is set as text: nothing of an event becomes markup.
const at = (id) => document.getElementById(id);
const HEADERS = { "Content-Type": "application/json", "X-Reactor-Inspector": "1" };

function element(name, text, ...children) {
  const made = document.createElement(name);
  if (text !== undefined && text !== null) made.textContent = text;
  made.append(...children);
  return made;
}

const shown = (value) => (typeof value === "string" ? value : JSON.stringify(value));

function table(heads, rows) {
  const head = element("tr", null, ...heads.map((text) => {
    const cell = element("th", text);
    cell.scope = "col";
    return cell;
  }));
  const body = rows.map((row) => element("tr", null, ...row.map((value) => element("td", shown(value)))));
  return element("table", null, element("thead", null, head), element("tbody", null, ...body));
}

// A condition and those below it: whether each is true, and what it read.
function tree(node) {
  const read = node.operands.map((each) =>
    each.name + (each.redacted ? " is redacted" : " is " + JSON.stringify(each.value))).join(", ");
  const truth = node.truth === null ? "redacted" : node.truth;
  const line = element("span", truth + ": " + node.text + (read ? " (" + read + ")" : ""));
  line.className = "truth-" + truth;
  const item = element("li", null, line);
  if (node.nodes.length) item.append(element("ul", null, ...node.nodes.map(tree)));
  return item;
}

function showWays(section, box) {
  (section.ways || []).forEach((way, number) => {
    const needs = way.needs.map((need) => need.distance ? need.distance.text : need.text + " " + need.wanted);
    box.append(element("p", (number ? "Or: " : "What would change it: ") + needs.join("; and ")));
  });
  if (section.turn && section.turn.at) {
    box.append(element("p", "It changes by itself at " + section.turn.at + "."));
  }
}

function showSections(explanation, response) {
  const place = at("sections");
  place.replaceChildren();
  const offers = (response && response.offers) || {};
  const sections = (explanation && explanation.sections) || [];
  for (const section of sections) {
    const box = element("details", null, element("summary", section.name + ": " + section.verdict.replaceAll("_", " ")));
    box.append(element("p", "On " + ((section.on || []).join(", ") || "any event") +
      (section.key_event ? "; this is " + section.key_event : "; this event is none of them")));
    for (const part of ["where", "when"]) {
      if (section[part]) box.append(element("p", part), element("ul", null, tree(section[part])));
    }
    showWays(section, box);
    place.append(box);
  }
  if (!sections.length) place.append(element("p", Object.keys(offers).join(", ") || "No section matched."));
  at("explanation").textContent = explanation ? JSON.stringify(explanation, null, 2) : "";
}

function showProfile(profile) {
  const place = at("profile");
  place.replaceChildren();
  if (!profile) {
    place.append(element("p", "No profile: the event carries no identifier that is known."));
    return;
  }
  const keys = Object.entries(profile.keys).flatMap(([key, values]) => values.map((value) => [key, value]));
  place.append(
    element("p", "rid " + profile.rid + ", created " + profile.created + ", last seen " + profile.last_seen),
    table(["Key", "Identifier"], keys),
    table(["Attribute", "Value"], Object.entries(profile.attributes)));
}

function showChanges(rows) {
  const place = at("changes");
  place.replaceChildren();
  for (const row of rows || []) {
    place.append(element("details", null,
      element("summary", [row.event, row.rid, row.time].filter((part) => part !== undefined).join(" · ") || "change"),
      element("pre", JSON.stringify(row, null, 2))));
  }
  if (!rows || !rows.length) place.append(element("p", "None yet."));
}

async function ask(path, question) {
  at("status").textContent = "Asking …";
  try {
    const answer = await fetch(path, { method: "POST", headers: HEADERS, body: JSON.stringify(question) });
    const body = await answer.json();
    if (answer.ok) return body;
    at("status").textContent = body.error || body.message;
  } catch (error) {
    at("status").textContent = "The gateway does not answer.";
  }
  return null;
}

at("event-form").addEventListener("submit", async (submit) => {
  submit.preventDefault();
  const apply = submit.submitter.value === "send";
  const audience = document.querySelector("input[name=audience]:checked").value;
  const body = await ask("/_inspector/api/event", {
    table: at("table").value, event: at("event").value, audience, apply,
  });
  if (!body) return;
  at("status").textContent = apply ? "Sent: the profile has changed." : "Previewed: nothing has changed.";
  at("response").textContent = JSON.stringify(body.response, null, 2);
  showSections(body.explanation, body.response);
  showProfile(body.profile);
  showChanges(body.id_changes);
  at("result").focus();
});

at("profile-form").addEventListener("submit", async (submit) => {
  submit.preventDefault();
  const body = await ask("/_inspector/api/profile", { key: at("key").value, value: at("value").value });
  if (!body) return;
  at("status").textContent = body.profile ? "Found." : "Nobody is known by this.";
  showProfile(body.profile);
  showChanges(body.id_changes);
});

fetch("/_inspector/api/choices").then((answer) => answer.json()).then((choices) => {
  at("name").textContent = choices.name ? "of " + choices.name : "";
  at("tables").append(...(choices.tables || []).map((name) => {
    const option = document.createElement("option");
    option.value = name;
    return option;
  }));
  at("table").value = (choices.tables || [""])[0];
  at("key").append(...(choices.keys || []).map((name) => new Option(name, name)));
});
