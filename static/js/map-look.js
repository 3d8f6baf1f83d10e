// The look of a map that the skeleton (geo/maps.py) has made: tiles for the dark where somebody reads in the dark.

const darkDevice = matchMedia("(prefers-color-scheme: dark)");

export const onPaper = matchMedia("print");

/** Keep a map's tiles in the visitor's look. Gives what is to be called when layers have come or gone. */
export function followTheme(map) {
  function show() {
    if (onPaper.matches) return; // no time to load other tiles; css/map.css makes dark ones light
    const { theme } = document.documentElement.dataset;
    const dark = theme === "dark" || (theme === "system" && darkDevice.matches);
    map.eachLayer((layer) => {
      if (!layer.options.darkUrl) return;
      layer.lightUrl ??= layer._url;
      const wanted = dark ? layer.options.darkUrl : layer.lightUrl;
      if (layer._url !== wanted) layer.setUrl(wanted);
    });
  }
  show();
  darkDevice.addEventListener("change", show);
  return show;
}
