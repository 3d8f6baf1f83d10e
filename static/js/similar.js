// While a proposal is typed: what others have proposed already, below the text, without moving what is being written.
// Without this script the same list stands at the next step.

const place = document.querySelector("[data-similar]");
const fields = ["title", "text", "why"].map((name) => document.getElementById(name)).filter(Boolean);
const PAUSE = 900; // milliseconds without a key before anybody is asked

let asked = "";
let timer;

const words = () => fields.map((field) => field.value.trim()).join(" ").slice(0, 600);

async function ask() {
  const typed = words();
  if (typed === asked || typed.split(/\s+/).length < 4) return;
  asked = typed;
  const address = new URL(place.dataset.similar, location.href);
  address.searchParams.set("q", typed);
  try {
    const answer = await fetch(address, { headers: { Accept: "application/json" } });
    if (answer.ok && typed === asked) show(await answer.json());
  } catch {
    // Offline: the list at the next step says the same.
  }
}

function show(found) {
  const list = place.querySelector("ul");
  list.replaceChildren(
    ...found.map(({ title, url }) => {
      const item = document.createElement("li");
      const link = document.createElement("a");
      link.href = url;
      link.target = "_blank";
      link.rel = "noopener";
      link.textContent = `${title} (${place.dataset.window})`;
      item.append(link);
      return item;
    }),
  );
  place.hidden = found.length === 0;
}

if (place) {
  for (const field of fields) {
    field.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(ask, PAUSE);
    });
  }
}
