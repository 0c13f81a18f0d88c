// Where the reader is: section and settings in the address behind #, so that a link shows the same again.
"use strict";
var clipeval = clipeval || {};
{
  // "#items?direction=i2t&show=lost" is the section "items" with two settings
  clipeval.place = () => {
    const [section, settings] = location.hash.slice(1).split("?", 2);
    return { section, settings: new URLSearchParams(settings || "") };
  };

  clipeval.address = (section, settings) => {
    const kept = new URLSearchParams(Object.entries(settings).filter(([, value]) => value !== "" && value !== null));
    return `#${section}${[...kept].length ? `?${kept}` : ""}`;
  };

  // told without a new step of "back" for each letter that is typed
  clipeval.remember = (section, settings) => {
    history.replaceState(null, "", clipeval.address(section, settings));
  };
}
