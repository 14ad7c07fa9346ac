/** The colours of people and concepts. What each looks like in light and in dark stands in `page/styles/theme.css`. */
export const palette = ["red", "orange", "amber", "green", "teal", "blue", "violet", "pink"] as const;

export type Colour = (typeof palette)[number];
