/** A colour of the theme, named as its CSS variable without `--`, for what paints on a canvas. */
export const ink = (name: string, opacity = 1): string => {
  const value = getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim();
  return opacity === 1 ? value : `color-mix(in srgb, ${value} ${opacity * 100}%, transparent)`;
};
