// "Near me": only when asked. The position leaves the device rounded to about 100 metres, as part of the search's
// address, and is not kept anywhere. Without JavaScript, or when the device says no, typing the street does the same.

const decimals = 3; // 0.001° is 111 m to the north and about 75 m to the east

for (const button of document.querySelectorAll("[data-near]")) {
  if (!("geolocation" in navigator)) continue;
  const status = button.closest("form").querySelector("[data-near-status]");
  button.hidden = false;
  button.addEventListener("click", () => {
    status.textContent = button.dataset.asking;
    navigator.geolocation.getCurrentPosition(
      ({ coords }) => {
        const address = new URL(button.dataset.near, location.href);
        address.searchParams.set("lon", coords.longitude.toFixed(decimals));
        address.searchParams.set("lat", coords.latitude.toFixed(decimals));
        location.assign(address);
      },
      () => { status.textContent = button.dataset.failed; },
      { enableHighAccuracy: false, timeout: 15000, maximumAge: 300000 },
    );
  });
}
