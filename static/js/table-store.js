// Where a touch table keeps its key: one object in IndexedDB.

function opened() {
  return new Promise((done, failed) => {
    const asked = indexedDB.open("digilog-table", 1);
    asked.onupgradeneeded = () => asked.result.createObjectStore("keys");
    asked.onsuccess = () => done(asked.result);
    asked.onerror = () => failed(asked.error);
  });
}

async function inStore(mode, act) {
  const base = await opened();
  try {
    return await new Promise((done, failed) => {
      const turn = base.transaction("keys", mode);
      const asked = act(turn.objectStore("keys"));
      turn.oncomplete = () => done(asked.result);
      turn.onabort = () => failed(turn.error);
    });
  } finally {
    base.close();
  }
}

/** Keep the private key of the table, in place of an earlier one. */
export const keep = (key) => inStore("readwrite", (store) => store.put(key, "table"));

/** The key that was kept, or undefined. */
export const kept = () => inStore("readonly", (store) => store.get("table"));
