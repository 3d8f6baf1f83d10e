// What is under way says by itself how far it is: the part of the page that tells it is fetched again until it is done.

const PAUSE = 1500;

async function look() {
  const here = document.querySelector("[data-progress]");
  if (!here || document.hidden) return setTimeout(look, PAUSE);
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.querySelector("[data-progress]");
    if (!fresh?.querySelector("progress")) return location.reload();
    here.replaceChildren(...fresh.childNodes);
  } catch {
    // The next look may do.
  }
  return setTimeout(look, PAUSE);
}

setTimeout(look, PAUSE);
