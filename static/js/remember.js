// Words that were typed and not sent stay in this browser for a week, and nowhere else: a battery, a crash or a closed
// window loses nothing. Only what is said, never who says it; on a touch table nothing. Without this, each step keeps
// them on the server.

const PREFIX = "digilog-words ";
// Whoever shares the device says so once, and nothing is kept in this browser any more.
const OFF = "digilog-words-off";
const WEEK = 7 * 24 * 3600 * 1000;
const WORDS = ["title", "text", "why", "whom", "cost", "place_words"];

function storage() {
  try {
    return sessionStorage.getItem("digilog-table") ? null : localStorage;
  } catch {
    return null; // a browser that keeps nothing
  }
}

const store = storage();
const read = (key) => {
  try {
    return JSON.parse(store.getItem(key));
  } catch {
    return null;
  }
};

if (store) {
  for (const key of Object.keys(store).filter((each) => each.startsWith(PREFIX))) {
    const kept = read(key);
    // What the receipt shows has arrived.
    const arrived = kept?.sent && document.querySelector("[data-words-arrived]");
    if (!kept || arrived || Date.now() - kept.at > WEEK) store.removeItem(key);
  }
  document.querySelectorAll("form[data-remember]").forEach(remember);
  document.querySelectorAll("[data-remember-choice]").forEach(offerChoice);
}

function forgetAll() {
  for (const key of Object.keys(store).filter((each) => each.startsWith(PREFIX))) store.removeItem(key);
}

function offerChoice(section) {
  const [says, button] = [section.querySelector("[data-remember-says]"), section.querySelector("button")];
  const show = () => {
    const now = store.getItem(OFF) ? "off" : "on";
    says.textContent = says.dataset[now];
    button.firstElementChild.textContent = button.dataset[now];
  };
  button.addEventListener("click", () => {
    if (store.getItem(OFF)) store.removeItem(OFF);
    else {
      store.setItem(OFF, "yes");
      forgetAll();
      for (const notice of document.querySelectorAll("[data-remembered]")) notice.hidden = true;
    }
    show();
  });
  section.hidden = false;
  show();
}

function remember(form) {
  const key = PREFIX + form.dataset.remember;
  const fields = WORDS.map((name) => form.elements.namedItem(name)).filter(Boolean);
  const notice = document.querySelector("[data-remembered]");
  const kept = read(key);
  const isNews = kept && fields.some(({ name, value }) => kept.words[name]?.trim() && kept.words[name] !== value);
  if (isNews && notice) {
    notice.hidden = false;
    notice.querySelector("[data-words-back]").addEventListener("click", () => {
      for (const field of fields) if (kept.words[field.name]) field.value = kept.words[field.name];
      notice.hidden = true;
      fields[0].focus();
    });
    notice.querySelector("[data-words-forget]").addEventListener("click", () => {
      store.removeItem(key);
      notice.hidden = true;
      fields[0].focus();
    });
  } else if (kept) store.removeItem(key);

  let waits;
  const keep = (sent) => {
    clearTimeout(waits);
    // As long as nobody has said what shall become of the words of before, they are not written over.
    if ((notice && !notice.hidden) || store.getItem(OFF)) return;
    const words = Object.fromEntries(fields.map(({ name, value }) => [name, value]));
    if (!Object.values(words).some((value) => value.trim())) return;
    try {
      store.setItem(key, JSON.stringify({ at: Date.now(), sent, words }));
    } catch {
      // Full: the server keeps them at the next step.
    }
  };
  form.addEventListener("input", () => {
    clearTimeout(waits);
    waits = setTimeout(keep, 500, false);
  });
  form.addEventListener("submit", () => keep(true));
  window.addEventListener("pagehide", () => { if (waits) keep(read(key)?.sent ?? false); });
}
