import { h, setAttribute } from "./dom.ts";
import { type IconName, icon } from "./icons.ts";
import { readSetting, writeSetting } from "./storage.ts";

const themes = ["auto", "light", "dark"] as const;
type Theme = (typeof themes)[number];

const icons: Record<Theme, IconName> = { auto: "auto", light: "sun", dark: "moon" };
const names: Record<Theme, string> = { auto: "as the system", light: "light", dark: "dark" };

/** A button that goes through the three themes: as the system has it, light, dark. */
export function createThemeButton(): HTMLElement {
  const stored = readSetting("theme");
  let theme: Theme = themes.find((each) => each === stored) ?? "auto";
  const button = h("button", { class: "icon-button", type: "button", "data-testid": "theme", onclick: next });

  function next() {
    theme = themes[(themes.indexOf(theme) + 1) % themes.length]!;
    writeSetting("theme", theme);
    apply();
  }

  function apply() {
    setAttribute(document.documentElement, "data-theme", theme === "auto" ? undefined : theme);
    const label = `Theme: ${names[theme]}`;
    setAttribute(button, "aria-label", label);
    setAttribute(button, "title", label);
    button.replaceChildren(icon(icons[theme]));
  }

  apply();
  return button;
}
