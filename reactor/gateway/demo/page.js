"use strict";
const settings = fetch("/_demo/settings.json").then((answer) => answer.json());
const client = crypto.randomUUID();

function show(offers) {
  const place = document.getElementById("offers");
  place.replaceChildren();
  for (const [name, offer] of Object.entries(offers)) {
    const box = document.createElement("article");
    box.className = "offer";
    const title = document.createElement("h2");
    title.textContent = name;
    const text = document.createElement("p");
    const values = Object.entries(offer.attributes || {}).map(([key, value]) =>
      key + ": " + (Array.isArray(value) ? value.join(", ") : value));
    text.textContent = values.join(" · ") || "{} (redacted: its payload is sensitive, and this is a public token)";
    box.append(title, text);
    place.append(box);
  }
  if (!Object.keys(offers).length) place.textContent = "No offer for this event.";
}

async function send(table, event) {
  const { token, api_key } = await settings;
  const answer = await fetch("/public/web/" + table, {
    method: "POST",
    headers: {
      "Content-Type": "application/vnd.treasuredata.v1+json",
      "Authorization": "TD1 " + api_key,
      "WP13n-Token": token,
    },
    body: JSON.stringify({ td_client_id: client, ...event }),
  });
  const body = await answer.json();
  document.getElementById("answer").textContent = JSON.stringify(body, null, 2);
  if (answer.ok) show(body.offers);
}

for (const button of document.querySelectorAll("button")) {
  button.addEventListener("click", () => send(button.dataset.table, JSON.parse(button.dataset.event)));
}

// The first event is the visit itself.
send("pageviews", { td_path: "/retail" });
